package io.leasehold.lease;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// The requests of a session that are on the way, each at a place that its id names, and those that wait for a place. Guarded by
/// the lock of its [ControlChannel].
///
/// ```
///  63                             6 5       0
/// +--------------------------------+---------+
/// |  number of the request         |  place  |   request id: never used twice in a session
/// +--------------------------------+---------+
/// ```
final class ControlPlaces {
    /// The place of the request that opens a queue pair: never taken by others.
    static final int HELLO = ControlCodec.REQUESTS_MAX;
    static final int COUNT = HELLO + 1;
    /// Places that requests which the node may hold back for long leave free.
    private static final int FOR_IMPATIENT = 8;
    private static final int PATIENT_MAX = ControlCodec.REQUESTS_MAX - FOR_IMPATIENT;
    private static final int PLACE_BITS = 6;

    private final @Nullable ControlCall[] calls = new ControlCall[COUNT];
    private final Deque<ControlCall> impatient = new ArrayDeque<>();
    private final Deque<ControlCall> patient = new ArrayDeque<>();
    private int patientPlaces;
    private long requests;

    /// Adds a call behind those that wait.
    void add(ControlCall call) {
        (call.isPatient() ? patient : impatient).add(call);
    }

    /// Puts calls that wait at free places, and gives each to `taken` with its place.
    void fill(BiConsumer<Integer, ControlCall> taken) {
        for (int place = 0; place < HELLO; place++) {
            if (calls[place] == null) {
                ControlCall call = impatient.poll();
                if (call == null && patientPlaces < PATIENT_MAX) {
                    call = patient.poll();
                }
                if (call == null) {
                    return;
                }
                put(place, call);
                taken.accept(place, call);
            }
        }
    }

    /// Puts a call at a place, instead of what was there.
    void put(int place, ControlCall call) {
        calls[place] = call;
        call.id = ++requests << PLACE_BITS | place;
        if (call.isPatient()) {
            patientPlaces++;
        }
    }

    /// Ends the stay of the call at `place`, if there is one.
    @Nullable ControlCall free(int place) {
        ControlCall call = calls[place];
        calls[place] = null;
        if (call != null && call.isPatient()) {
            patientPlaces--;
        }
        return call;
    }

    /// Ends the stay of the call with this id, if it is on the way.
    @Nullable ControlCall answered(long id) {
        int place = (int) id & (1 << PLACE_BITS) - 1;
        ControlCall call = place < COUNT ? calls[place] : null;
        return call != null && call.id == id ? free(place) : null;
    }

    /// Gives each call that is on the way, but the one that opens the queue pair, to `each` with its place.
    void forEachOnTheWay(BiConsumer<Integer, ControlCall> each) {
        for (int place = 0; place < HELLO; place++) {
            ControlCall call = calls[place];
            if (call != null) {
                each.accept(place, call);
            }
        }
    }

    boolean isSomethingWaiting() {
        return !(impatient.isEmpty() && patient.isEmpty());
    }

    /// Takes a call out of those that wait.
    ///
    /// @return whether it waited
    boolean withdraw(ControlCall call) {
        return impatient.remove(call) || patient.remove(call);
    }

    /// All calls.
    List<ControlCall> all() {
        List<ControlCall> all = new ArrayList<>(impatient);
        all.addAll(patient);
        for (ControlCall call : calls) {
            if (call != null) {
                all.add(call);
            }
        }
        return all;
    }

    /// Forgets all calls.
    void clear() {
        for (int place = 0; place < COUNT; place++) {
            free(place);
        }
        impatient.clear();
        patient.clear();
    }
}
