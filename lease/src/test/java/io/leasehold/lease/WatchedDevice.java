package io.leasehold.lease;

import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.SendBatch;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A device that does what another one does, after a test was told of it: the test may wait, or throw in its place.
final class WatchedDevice {
    private static final Set<Class<?>> WATCHED = Set.of(RdmaDevice.class, ProtectionDomain.class, MemoryWindow.class,
            QueuePair.class, SendBatch.class, ConnectionRequest.class);

    private static final Object[] NONE = {};

    private WatchedDevice() {
    }

    /// Is told of calls.
    @FunctionalInterface
    interface Watcher {
        /// A call is about to be made, such as `"MemoryWindow.close"`; one that ends with `" done"` was made.
        ///
        /// @param arguments none, or those of the call
        void at(String call, Object[] arguments);
    }

    /// `device`, watched.
    static RdmaDevice of(RdmaDevice device, Watcher watcher) {
        return RdmaDevice.class.cast(watched(RdmaDevice.class, device, watcher));
    }

    private static Object watched(Class<?> type, Object target, Watcher watcher) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, new Watched(type, target, watcher));
    }

    private record Watched(Class<?> type, Object target, Watcher watcher) implements InvocationHandler {
        @Override
        public @Nullable Object invoke(Object self, Method method, Object @Nullable [] arguments) throws Throwable {
            String call = type.getSimpleName() + "." + method.getName();
            watcher.at(call, arguments == null ? NONE : arguments);
            Object result;
            try {
                result = method.invoke(target, own(arguments));
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
            watcher.at(call + " done", NONE);
            return result == target ? self
                    : WATCHED.contains(method.getReturnType()) ? watched(method.getReturnType(), result, watcher) : result;
        }

        /// What the device itself is to get.
        private Object @Nullable [] own(Object @Nullable [] arguments) {
            if (arguments == null) {
                return null;
            }
            Object[] own = arguments.clone();
            for (int i = 0; i < own.length; i++) {
                if (own[i] instanceof ConnectionHandler handler) {
                    own[i] = (ConnectionHandler) request -> handler.onRequest(
                            ConnectionRequest.class.cast(watched(ConnectionRequest.class, request, watcher)));
                } else if (own[i] != null && Proxy.isProxyClass(own[i].getClass())
                        && Proxy.getInvocationHandler(own[i]) instanceof Watched watched) {
                    own[i] = watched.target;
                }
            }
            return own;
        }
    }
}
