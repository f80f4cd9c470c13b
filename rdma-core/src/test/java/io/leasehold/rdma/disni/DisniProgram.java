package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaCmEvent.EventType;
import com.ibm.disni.verbs.RdmaConnParam;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/// A server and a client that are written for DiSNI: connect by RDMA-CM, register, SEND, RECV, WRITE, READ, disconnect.
public final class DisniProgram {
    private static final String TEXT = "written by a client";

    private DisniProgram() {
    }

    /// Runs both.
    ///
    /// @param own an address of this machine
    /// @return what the client has read back of what it had written
    public static String run(InetSocketAddress own) throws Exception {
        try (DisniPeer server = new DisniPeer(); DisniPeer client = new DisniPeer();
                ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            InetSocketAddress at = server.listen(own);
            Future<String> serving = executor.submit(() -> serve(server));
            client.connect(at, new RdmaConnParam());
            String read = ask(client);
            String written = serving.get(DisniPeer.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
            client.hangUp();
            server.expect(EventType.RDMA_CM_EVENT_DISCONNECTED);
            demand(written.equals(TEXT), "the server found '" + written + "'");
            return read;
        }
    }

    private static void demand(boolean good, String otherwise) {
        if (!good) {
            throw new IllegalStateException(otherwise);
        }
    }

    private static String ask(DisniPeer client) throws Exception {
        client.receive(1, 1024, 64);
        client.buffer.put(0, "hello".getBytes(StandardCharsets.US_ASCII));
        client.post(client.request(2, IbvSendWR.IBV_WR_SEND, 0, 5));
        // Either may come first.
        demand(client.complete().getWr_id() + client.complete().getWr_id() == 3, "one completion of each");
        long remote = client.buffer.getLong(1024);
        int key = client.buffer.getInt(1032);
        client.buffer.put(0, TEXT.getBytes(StandardCharsets.US_ASCII));
        client.post(client.rdma(3, IbvSendWR.IBV_WR_RDMA_WRITE, 0, TEXT.length(), remote + 100, key));
        client.succeed(3);
        client.post(client.rdma(4, IbvSendWR.IBV_WR_RDMA_READ, 2048, 8, remote + 108, key));
        IbvWC read = client.succeed(4);
        demand(read.getQp_num() == client.qp.getQp_num(), "the completion is of queue pair " + read.getQp_num());
        demand(IbvWC.IbvWcOpcode.valueOf(read.getOpcode()) == IbvWC.IbvWcOpcode.IBV_WC_RDMA_READ, "opcode " + read.getOpcode());
        client.post(client.request(5, IbvSendWR.IBV_WR_SEND, 0, 4));
        client.succeed(5);
        return text(client, 2048, 8);
    }

    private static String serve(DisniPeer server) throws Exception {
        server.meet();
        server.receive(1, 0, 64);
        server.receive(2, 64, 8);
        server.accept(new RdmaConnParam());
        demand(server.succeed(1).getByte_len() == 5, "five bytes");
        server.buffer.putLong(1024, server.address);
        server.buffer.putInt(1032, server.mr.getRkey());
        server.post(server.request(3, IbvSendWR.IBV_WR_SEND, 1024, 12));
        server.succeed(3);
        server.succeed(2);
        return text(server, 100, TEXT.length());
    }

    private static String text(DisniPeer peer, int offset, int length) {
        byte[] bytes = new byte[length];
        peer.buffer.get(offset, bytes);
        return new String(bytes, StandardCharsets.US_ASCII);
    }
}
