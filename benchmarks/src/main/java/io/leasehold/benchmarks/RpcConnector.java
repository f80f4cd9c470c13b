package io.leasehold.benchmarks;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A client of [RpcServer], for one thread. All maps are one.
record RpcConnector(String server, Link link) implements Connector {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Override
    public Client connect() {
        RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withLinks(link));
        RpcEndpoint endpoint = new RpcEndpoint(device);
        endpoint.queuePair.connect(EndpointAddress.parse(server), new byte[0], PATIENCE);
        return new RpcClient(device, endpoint);
    }

    private record RpcClient(RdmaDevice device, RpcEndpoint endpoint) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new RpcMap(endpoint);
        }

        @Override
        public QueueStore queue(String name) {
            throw new UnsupportedOperationException("the baseline has no queues");
        }

        @Override
        public void close() {
            endpoint.close();
            device.close();
        }
    }

    /// Messages take the slots from 0 on, and so do their answers, in the same order: queue pairs keep it.
    private record RpcMap(RpcEndpoint endpoint) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) throws InterruptedException {
            Requests requests = new Requests();
            requests.addRead(key);
            execute(requests);
            return requests.found(0);
        }

        @Override
        public void set(byte[] key, byte[] value) throws InterruptedException {
            Requests requests = new Requests();
            requests.addWrite(key, value);
            execute(requests);
        }

        @Override
        public void execute(Requests requests) throws InterruptedException {
            int reads = requests.reads().size();
            int count = reads + requests.writes().size();
            for (int first = 0; first < count; first += RpcEndpoint.SLOTS) {
                int end = Math.min(count, first + RpcEndpoint.SLOTS);
                for (int i = first; i < end; i++) {
                    byte[] key = i < reads ? requests.reads().get(i) : requests.writes().get(i - reads);
                    byte @Nullable [] value = i < reads ? null : requests.value(i - reads);
                    endpoint.add(i - first, RpcMessage.write(endpoint.outgoing(i - first), key, value));
                }
                endpoint.post();
                for (int i = first, idle = 0; i < end;) {
                    int slot = endpoint.poll();
                    if (slot < 0) {
                        endpoint.await(idle++);
                        continue;
                    }
                    if (i < reads) {
                        requests.answer(i, RpcMessage.value(endpoint.incoming(slot)));
                    }
                    endpoint.receiveInto(slot);
                    i++;
                    idle = 0;
                }
            }
        }

        @Override
        public void remove(List<byte[]> keys) {
            throw new UnsupportedOperationException("the baseline does not remove");
        }
    }
}
