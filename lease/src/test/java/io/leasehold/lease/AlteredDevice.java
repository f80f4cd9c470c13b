package io.leasehold.lease;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaDevice;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.function.UnaryOperator;

/// Devices that are like another but for one thing.
final class AlteredDevice {
    private AlteredDevice() {
    }

    /// How a region is registered in a domain of another device.
    @FunctionalInterface
    interface Registering {
        MemoryRegion register(ProtectionDomain domain, MemorySegment memory, Set<AccessFlag> access);
    }

    /// `device`, which says that it has windows of these types only.
    static RdmaDevice withWindows(RdmaDevice device, Set<MemoryWindowType> types) {
        return withAttributes(device, all -> new DeviceAttributes(all.provider(), all.name(), types, all.windowBoundsEnforced(),
                all.maxQueuePairs(), all.maxCompletionQueues(), all.maxCompletionEntries(), all.maxRegions(), all.maxWindows(),
                all.maxWorkRequests(), all.maxReadAtomic(), all.maxInlineBytes(), all.maxMessageBytes(),
                all.maxPrivateDataBytes(), all.maxWindowBytes()));
    }

    /// `device`, which says that its windows cover so many bytes at most.
    static RdmaDevice withLongestWindow(RdmaDevice device, long bytes) {
        return withAttributes(device, all -> new DeviceAttributes(all.provider(), all.name(), all.windowTypes(),
                all.windowBoundsEnforced(), all.maxQueuePairs(), all.maxCompletionQueues(), all.maxCompletionEntries(),
                all.maxRegions(), all.maxWindows(), all.maxWorkRequests(), all.maxReadAtomic(), all.maxInlineBytes(),
                all.maxMessageBytes(), all.maxPrivateDataBytes(), bytes));
    }

    /// `device`, which says of itself what `change` makes of the truth.
    static RdmaDevice withAttributes(RdmaDevice device, UnaryOperator<DeviceAttributes> change) {
        DeviceAttributes changed = change.apply(device.attributes());
        return proxy(RdmaDevice.class, (method, arguments) -> method.getName().equals("attributes") ? changed
                : invoke(device, method, arguments));
    }

    /// `device`, whose domains register regions in another way.
    static RdmaDevice withRegistering(RdmaDevice device, Registering registering) {
        return proxy(RdmaDevice.class, (method, arguments) -> {
            Object result = invoke(device, method, arguments);
            return result instanceof ProtectionDomain domain ? domain(domain, registering) : result;
        });
    }

    @SuppressWarnings("unchecked")
    private static ProtectionDomain domain(ProtectionDomain domain, Registering registering) {
        return proxy(ProtectionDomain.class, (method, arguments) -> method.getName().equals("register")
                ? registering.register(domain, (MemorySegment) arguments[0], (Set<AccessFlag>) arguments[1])
                : invoke(domain, method, arguments));
    }

    /// `region`, whose closing and whose key are other ones.
    static MemoryRegion region(MemoryRegion region, int remoteKey, Runnable close) {
        return proxy(MemoryRegion.class, (method, arguments) -> switch (method.getName()) {
            case "remoteKey" -> remoteKey;
            case "close" -> {
                close.run();
                yield null;
            }
            default -> invoke(region, method, arguments);
        });
    }

    @FunctionalInterface
    private interface Handler {
        Object handle(Method method, Object[] arguments) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, Handler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                (self, method, arguments) -> switch (method.getName()) {
                    case "equals" -> self == arguments[0];
                    case "hashCode" -> System.identityHashCode(self);
                    default -> handler.handle(method, arguments);
                }));
    }

    private static Object invoke(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
