package io.leasehold.rdma.internal.verbs;

import java.io.IOException;

/// The exchange that accompanies a connected queue pair, watched by a virtual thread: what the peer says there, or its end, ends
/// the connection.
///
/// A device need not tell the responder which request broke its queue pair, or that one did; so each side says what it knows, and
/// keeps the exchange open until its own queue pair is reset or closed.
final class Attachment implements Bond {
    private static final Cause[] CAUSES = Cause.values();
    /// No peer of ours says more.
    private static final int FRAMES_MAX = 8;

    private final VerbsQueuePair queuePair;
    private final Exchange exchange;

    Attachment(VerbsQueuePair queuePair, Exchange exchange) {
        this.queuePair = queuePair;
        this.exchange = exchange;
    }

    /// Listens until the end.
    void watch() {
        String end = "the peer closed the connection";
        try (exchange) {
            for (int i = 0; i < FRAMES_MAX; i++) {
                Exchange.Frame frame = exchange.receive();
                if (frame.type() != Exchange.BYE) {
                    break;
                }
                Cause cause = CAUSES[Math.floorMod(frame.body().readUnsignedByte(), CAUSES.length)];
                queuePair.told(this, cause, frame.body().readUTF());
            }
        } catch (IOException e) {
            end = "the peer's process or device is gone (" + e.getMessage() + ")";
        }
        queuePair.told(this, Cause.GONE, end);
    }

    @Override
    public void say(Cause cause, String detail) {
        try {
            exchange.send(Exchange.BYE, body -> {
                body.writeByte(cause.ordinal());
                body.writeUTF(detail);
            });
        } catch (IOException e) {
            // The peer is gone.
            exchange.close();
        }
    }

    @Override
    public void end(String detail) {
        say(Cause.GONE, detail);
        exchange.close();
    }
}
