package io.leasehold.rdma;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/// The state of a barrier that its parties share and replace by compare-and-swap; immutable.
///
/// A party joins at the end. As soon as enough have joined, the first of them are *called*, and each of those confirms that it is
/// still there; with the last confirmation they are all *released* together. A party that died before it was called never
/// confirms; the others drop it after a while, which takes back all confirmations, because each was given to a set that is no
/// more. So a barrier never opens on the strength of somebody who was gone before the others came.
///
/// ```
/// +---------+-----------+-------------------+-----------------------------+----------------------------+
/// | version | waiting W | released R        | W x { id:64, confirmed:8 }  | R x { id:64 }, oldest first|
/// | 1 byte  | 4 bytes   | 4 bytes           |                             |                            |
/// +---------+-----------+-------------------+-----------------------------+----------------------------+
/// ```
///
/// @param waiting the parties that wait, in order of arrival
/// @param released the parties released last, so that each can learn of it
record BarrierRecord(List<Waiter> waiting, List<Long> released) {
    static final BarrierRecord EMPTY = new BarrierRecord(List.of(), List.of());

    /// How many released parties are remembered: a party looks many times in the time that so many others take to come and go.
    private static final int RELEASED_MAX = 2 * Rendezvous.PARTIES_MAX;

    private static final byte VERSION = 1;
    private static final int HEADER_BYTES = 1 + 2 * Integer.BYTES;

    /// A party at the barrier.
    record Waiter(long id, boolean confirmed) {
    }

    /// Keeps copies of the lists.
    BarrierRecord {
        waiting = List.copyOf(waiting);
        released = List.copyOf(released);
    }

    boolean hasReleased(long id) {
        return released.contains(id);
    }

    /// This with `id` among those who wait.
    BarrierRecord joinedBy(long id) {
        if (waiting.stream().anyMatch(waiter -> waiter.id == id)) {
            return this;
        }
        List<Waiter> more = new ArrayList<>(waiting);
        more.add(new Waiter(id, false));
        return new BarrierRecord(more, released);
    }

    /// This after `id` confirmed that it is there, if it is called; the last confirmation releases the called.
    BarrierRecord confirmedBy(long id, int parties) {
        if (waiting.size() < parties) {
            return this;
        }
        List<Waiter> called = new ArrayList<>(waiting.subList(0, parties));
        called.replaceAll(waiter -> waiter.id == id ? new Waiter(id, true) : waiter);
        List<Waiter> rest = waiting.subList(parties, waiting.size());
        if (called.stream().allMatch(Waiter::confirmed)) {
            List<Long> free = new ArrayList<>(released);
            called.forEach(waiter -> free.add(waiter.id));
            return new BarrierRecord(rest, free.subList(Math.max(0, free.size() - RELEASED_MAX), free.size()));
        }
        called.addAll(rest);
        return new BarrierRecord(called, released);
    }

    /// The called that have not confirmed.
    List<Long> silent(int parties) {
        if (waiting.size() < parties) {
            return List.of();
        }
        return waiting.subList(0, parties).stream().filter(waiter -> !waiter.confirmed).map(Waiter::id).toList();
    }

    /// This without `ids` among those who wait; takes back all confirmations if any of them was there.
    BarrierRecord without(Collection<Long> ids) {
        List<Waiter> rest = waiting.stream().filter(waiter -> !ids.contains(waiter.id))
                .map(waiter -> new Waiter(waiter.id, false)).toList();
        return rest.size() == waiting.size() ? this : new BarrierRecord(rest, released);
    }

    byte[] encode() {
        ByteBuffer bytes = ByteBuffer
                .allocate(HEADER_BYTES + waiting.size() * (Long.BYTES + 1) + released.size() * Long.BYTES);
        bytes.put(VERSION).putInt(waiting.size()).putInt(released.size());
        waiting.forEach(waiter -> bytes.putLong(waiter.id).put((byte) (waiter.confirmed ? 1 : 0)));
        released.forEach(bytes::putLong);
        return bytes.array();
    }

    /// Reads what [#encode()] wrote.
    ///
    /// @throws IllegalArgumentException if `encoded` is something else
    static BarrierRecord decode(byte[] encoded) {
        ByteBuffer bytes = ByteBuffer.wrap(encoded);
        if (encoded.length < HEADER_BYTES || bytes.get() != VERSION) {
            throw new IllegalArgumentException("not a barrier of version " + VERSION);
        }
        int waiting = bytes.getInt();
        int released = bytes.getInt();
        if (waiting < 0 || released < 0 || bytes.remaining() != waiting * (Long.BYTES + 1L) + released * (long) Long.BYTES) {
            throw new IllegalArgumentException("a barrier of " + encoded.length + " bytes says it has " + waiting
                    + " waiting and " + released + " released parties");
        }
        List<Waiter> waiters = new ArrayList<>(waiting);
        for (int i = 0; i < waiting; i++) {
            waiters.add(new Waiter(bytes.getLong(), bytes.get() != 0));
        }
        List<Long> free = new ArrayList<>(released);
        for (int i = 0; i < released; i++) {
            free.add(bytes.getLong());
        }
        return new BarrierRecord(waiters, free);
    }
}
