package io.leasehold.benchmarks;

import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.RdmaDevice;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What one would do without one-sided access: a map on the server's heap, and a message there and back for each operation, by
/// the same fabric. A baseline for measuring, and no more: it has one map, no leases and no protection.
final class RpcServer implements AutoCloseable {
    private final RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
    private final ConcurrentHashMap<ByteBuffer, byte[]> map = new ConcurrentHashMap<>();
    private final Listener listener = device.listen(this::accept);

    EndpointAddress address() {
        return listener.address();
    }

    private void accept(ConnectionRequest request) {
        RpcEndpoint endpoint = new RpcEndpoint(device);
        request.accept(endpoint.queuePair, new byte[0]);
        Thread.ofPlatform().daemon().name("rpc").start(() -> serve(endpoint));
    }

    /// Answers all that has come with one doorbell, until the client is gone.
    private void serve(RpcEndpoint endpoint) {
        try (endpoint) {
            for (int idle = 0;; idle++) {
                int answers = 0;
                for (int slot = endpoint.poll(); slot >= 0; slot = endpoint.poll()) {
                    endpoint.add(slot, answer(endpoint.incoming(slot), endpoint.outgoing(slot)));
                    endpoint.receiveInto(slot);
                    answers++;
                }
                if (answers > 0) {
                    endpoint.post();
                    idle = 0;
                } else {
                    endpoint.await(idle);
                }
            }
        } catch (IllegalStateException | InterruptedException e) {
            // The client has gone.
        }
    }

    private int answer(MemorySegment request, MemorySegment answer) {
        byte[] key = RpcMessage.key(request);
        byte @Nullable [] value = RpcMessage.value(request);
        if (value == null) {
            return RpcMessage.write(answer, key, map.get(ByteBuffer.wrap(key)));
        }
        map.put(ByteBuffer.wrap(key), value);
        return RpcMessage.write(answer, key, null);
    }

    @Override
    public void close() {
        listener.close();
        device.close();
    }
}
