package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.RdmaProvider;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.internal.verbs.VerbsQueuePair;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.Map;

/// Runs programs written for DiSNI 2.1 on Leasehold's verbs, and hands their objects over.
///
/// ```java
/// Disni.install();                                               // first of all
/// RdmaEventChannel channel = RdmaEventChannel.createEventChannel();
/// ...                                                            // connect, register, SEND, READ: plain com.ibm.disni.verbs
/// QueuePair pair = Disni.queuePair(id);                          // the same queue pair, as Leasehold's
/// MemoryWindow window = Disni.protectionDomain(pd).allocateMemoryWindow(MemoryWindowType.TYPE_2B);
/// ```
///
/// Both views are of one object: what either posts completes in the same completion queue, and either may poll it. Whoever made an
/// object ends it: one that DiSNI made is destroyed by DiSNI's call, and what was made of it through Leasehold, such as a window,
/// before that. Needs `libibverbs` and `librdmacm`, neither `libdisni.so` nor `--add-exports`. Thread-safe. A
/// virtual thread that waits, for an event or a completion, does not keep its carrier.
@SuppressWarnings("exports") // Who sees DiSNI's types has DiSNI.
public final class Disni {
    /// The system property that says what serves DiSNI's API: `leasehold`, or `native` for DiSNI's own `libdisni.so`.
    public static final String PROPERTY = "leasehold.disni";

    private Disni() {
    }

    /// What is open.
    ///
    /// @param eventChannels event channels of the connection manager
    /// @param ids ids, those of connection requests included
    /// @param devices what each device holds, by name
    public record Resources(int eventChannels, int ids, Map<String, ResourceCounts> devices) {
        /// Keeps a copy of the map.
        public Resources {
            devices = Map.copyOf(devices);
        }
    }

    // ---- installing

    /// Puts Leasehold's verbs under DiSNI's API, for good. To be called before anything of DiSNI's; again it does nothing.
    ///
    /// With `-Dleasehold.disni=native` it makes sure that `libdisni.so` can be loaded instead, and leaves DiSNI as it is.
    ///
    /// @throws RdmaException with [RdmaError#INVALID_STATE] if DiSNI is in use already; [RdmaError#UNSUPPORTED] if it is another
    ///         version, or `libdisni.so` is wanted and missing; [RdmaError#INVALID_ARGUMENT] if the property has another value
    public static void install() {
        String wanted = System.getProperty(PROPERTY, "leasehold");
        switch (wanted) {
            case "leasehold" -> installProvider();
            case "native" -> NativeDisni.load();
            default -> throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "-D" + PROPERTY + "=" + wanted + "; it can be 'leasehold' or 'native'");
        }
    }

    private static void installProvider() {
        // DiSNI makes its own provider under this lock.
        synchronized (RdmaProvider.class) {
            try {
                Field field = RdmaProvider.class.getDeclaredField("provider");
                if (!Modifier.isStatic(field.getModifiers()) || field.getType() != RdmaProvider.class) {
                    throw new NoSuchFieldException("RdmaProvider.provider is another field");
                }
                field.setAccessible(true);
                Object installed = field.get(null);
                if (installed == null) {
                    field.set(null, new Provider());
                } else if (!(installed instanceof Provider)) {
                    throw new RdmaException(RdmaError.INVALID_STATE, "DiSNI is in use already, with "
                            + installed.getClass().getName() + "; call Disni.install() before anything of com.ibm.disni");
                }
            } catch (NoSuchFieldException | IllegalAccessException | java.lang.reflect.InaccessibleObjectException e) {
                throw new RdmaException(RdmaError.UNSUPPORTED,
                        "this DiSNI cannot be served; use com.ibm.disni:disni:2.1, on the class path or as an automatic module", e);
            }
        }
    }

    private static Provider provider() {
        try {
            if (RdmaProvider.provider() instanceof Provider provider) {
                return provider;
            }
        } catch (IOException | LinkageError e) {
            throw new RdmaException(RdmaError.INVALID_STATE, "Leasehold does not serve DiSNI; call Disni.install() first", e);
        }
        throw new RdmaException(RdmaError.INVALID_STATE, "libdisni.so serves DiSNI; start without -D" + PROPERTY + "=native");
    }

    // ---- handing over

    /// The device behind a context.
    public static RdmaDevice device(IbvContext context) {
        return own(() -> Failures.own(Context.class, context).open("handing it over"));
    }

    /// The protection domain, to allocate windows in.
    public static ProtectionDomain protectionDomain(IbvPd domain) {
        return own(() -> Failures.own(Pd.class, domain).open("handing it over"));
    }

    /// The memory region, to bind windows to and to use in requests.
    public static MemoryRegion memoryRegion(IbvMr region) {
        return own(() -> Failures.own(Mr.class, region).open("handing it over"));
    }

    /// The completion queue. A completion is told once, to whoever polls it, here or in DiSNI.
    public static CompletionQueue completionQueue(IbvCQ queue) {
        return own(() -> Failures.own(Cq.class, queue).open("handing it over"));
    }

    /// The queue pair, to post atomics, binds and invalidations on.
    public static QueuePair queuePair(IbvQP queuePair) {
        return own(() -> Failures.own(Qp.class, queuePair).open("handing it over"));
    }

    /// The queue pair that an id connects.
    ///
    /// @throws RdmaException with [RdmaError#INVALID_STATE] if it has none
    public static QueuePair queuePair(RdmaCmId id) {
        return own(() -> {
            VerbsQueuePair queuePair = Failures.own(Id.class, id).id().queuePair();
            if (queuePair == null) {
                throw new RdmaException(RdmaError.INVALID_STATE, "the RDMA-CM id has no queue pair; call createQP first");
            }
            return queuePair;
        });
    }

    private interface Own<T> {
        T get() throws IOException;
    }

    private static <T> T own(Own<T> object) {
        try {
            return object.get();
        } catch (IOException e) {
            throw e.getCause() instanceof RdmaException cause ? cause : new RdmaException(RdmaError.INVALID_ARGUMENT, "handing over", e);
        }
    }

    // ---- what DiSNI's connection manager lacks

    /// Parameters for `connect` or `accept` that carry private data: up to 56 bytes to the listener, up to 196 in the answer.
    public static RdmaConnParam connParam(byte[] privateData) {
        if (privateData.length > 0xff) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT, "private data of " + privateData.length + " bytes; at most 196");
        }
        return new Param(privateData, 0, 0);
    }

    /// Refuses a connection request, with up to 148 bytes of private data. The id is then destroyed by the caller.
    public static void reject(RdmaCmId id, byte[] privateData) {
        own(() -> {
            Failures.own(Id.class, id).id().reject(privateData);
            return id;
        });
    }

    /// All that is known of an event.
    public static CmReport report(RdmaCmEvent event) {
        return own(() -> Failures.own(Event.class, event).report());
    }

    /// Waits for an event of one type.
    ///
    /// @param timeout how long at most
    /// @throws RdmaException with [RdmaError#TIMEOUT] if none has come in time, [RdmaError#REJECTED] if the peer refused,
    ///         [RdmaError#UNREACHABLE] if no address, route or answer was found, [RdmaError#INVALID_STATE] for any other event;
    ///         the message names event, status, peer, phase and time
    public static RdmaCmEvent await(RdmaEventChannel channel, RdmaCmEvent.EventType expected, Duration timeout) {
        int millis = Math.clamp(timeout.toMillis(), 0, Integer.MAX_VALUE);
        RdmaCmEvent event = own(() -> channel.getCmEvent(millis));
        if (event == null) {
            throw new RdmaException(RdmaError.TIMEOUT, "no " + expected + " within " + millis
                    + " ms; what was asked for may still happen: wait on, or destroy the id");
        }
        if (event.getEvent() != expected.ordinal()) {
            CmReport report = report(event);
            throw new RdmaException(error(report.type()), event + "; " + expected + " was expected");
        }
        return event;
    }

    private static RdmaError error(RdmaCmEvent.EventType type) {
        return switch (type) {
            case RDMA_CM_EVENT_ADDR_ERROR, RDMA_CM_EVENT_ROUTE_ERROR, RDMA_CM_EVENT_UNREACHABLE -> RdmaError.UNREACHABLE;
            case RDMA_CM_EVENT_REJECTED -> RdmaError.REJECTED;
            case RDMA_CM_EVENT_DEVICE_REMOVAL -> RdmaError.CLOSED;
            default -> RdmaError.INVALID_STATE;
        };
    }

    // ---- ending

    /// What is open, in this JVM.
    public static Resources resources() {
        Provider provider = provider();
        return new Resources(provider.cm().channels(), provider.cm().ids(), provider.devices().resources());
    }

    /// Closes the devices, with all that DiSNI's programs have left open; DiSNI's own API never does. They are opened again when
    /// they are used again.
    public static void shutdown() {
        Provider provider = provider();
        provider.cm().close();
        provider.devices().close();
    }
}
