package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.internal.NicClock;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import jdk.net.ExtendedSocketOptions;

/// One TCP connection beside a connection of queue pairs: it carries what they must know of each other, and then lives as long as
/// they are connected, so that each side learns when the other is gone.
///
/// ```
/// frame:  length 4 | type 1 | body (length - 1 bytes)
/// the first frame of each side begins its body with:  magic 4 | version 2
/// ```
///
/// One reader, any number of writers. Every wait ends: by its deadline, or when the socket is closed.
final class Exchange implements AutoCloseable {
    static final int MAGIC = 0x4c48_5642;
    static final int VERSION = 1;
    static final int FRAME_BYTES_MAX = 4096;

    /// Asks a listener for a connection.
    static final int REQUEST = 1;
    /// The answer, if the listener has a queue pair for it.
    static final int ACCEPT = 2;
    /// The answer, if it has not.
    static final int REJECT = 3;
    /// The asking side serves and sends requests now.
    static final int READY = 4;
    /// The answering side does as well.
    static final int UP = 10;
    /// Asks what is to know of a queue pair.
    static final int ASK = 5;
    /// The answer.
    static final int TELL = 6;
    /// Two queue pairs whose owners named them to each other meet.
    static final int JOIN = 7;
    /// The answer.
    static final int JOINED = 8;
    /// The queue pair is no longer connected; why.
    static final int BYE = 9;

    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;
    private boolean greeted;
    private boolean wasGreeted;

    Exchange(Socket socket) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setKeepAlive(true);
        // A host that dies says nothing, and no data travel here by which it would be missed.
        socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, 10);
        socket.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, 3);
        socket.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, 3);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
    }

    /// Connects `socket`, which who gives up may close.
    static Exchange dial(Socket socket, String host, int port, long deadlineNanos) throws IOException {
        socket.connect(new InetSocketAddress(host, port), Math.max(1, NicClock.millisUntil(deadlineNanos)));
        return new Exchange(socket);
    }

    /// What a frame says.
    @FunctionalInterface
    interface Body {
        void write(DataOutputStream body) throws IOException;
    }

    /// Sends a frame.
    synchronized void send(int type, Body body) throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var data = new DataOutputStream(bytes)) {
            if (!greeted) {
                data.writeInt(MAGIC);
                data.writeShort(VERSION);
                greeted = true;
            }
            body.write(data);
        }
        if (bytes.size() + 1 > FRAME_BYTES_MAX) {
            throw new IOException("a frame of " + bytes.size() + " bytes; at most " + FRAME_BYTES_MAX + " are possible");
        }
        byte[] frame = new byte[Integer.BYTES + 1 + bytes.size()];
        int length = bytes.size() + 1;
        for (int i = 0; i < Integer.BYTES; i++) {
            frame[i] = (byte) (length >>> 24 - 8 * i);
        }
        frame[Integer.BYTES] = (byte) type;
        System.arraycopy(bytes.toByteArray(), 0, frame, Integer.BYTES + 1, bytes.size());
        out.write(frame);
        out.flush();
    }

    /// Sends a frame that says one sentence.
    void send(int type, String text) throws IOException {
        send(type, body -> body.writeUTF(text.length() <= 500 ? text : text.substring(0, 500)));
    }

    /// A frame that has come.
    ///
    /// @param type what it is
    /// @param body its body
    record Frame(int type, DataInputStream body) {
    }

    /// Waits for the next frame until `deadlineNanos`.
    Frame receive(long deadlineNanos) throws IOException {
        int length = (int) readNumber(Integer.BYTES, deadlineNanos);
        if (length < 1 || length > FRAME_BYTES_MAX) {
            throw new ExchangeException("a frame of " + length + " bytes; this is no peer of ours");
        }
        byte[] bytes = readFully(length, deadlineNanos);
        var body = new DataInputStream(new ByteArrayInputStream(bytes, 1, length - 1));
        if (!wasGreeted) {
            wasGreeted = true;
            if (length < 7 || body.readInt() != MAGIC) {
                throw new ExchangeException("the peer does not speak our protocol");
            }
            int version = body.readUnsignedShort();
            if (version != VERSION) {
                throw new ExchangeException("the peer speaks version " + version + ", this side " + VERSION);
            }
        }
        return new Frame(bytes[0], body);
    }

    /// Waits for the next frame for as long as the connection lives.
    Frame receive() throws IOException {
        return receive(Long.MAX_VALUE);
    }

    private long readNumber(int bytes, long deadlineNanos) throws IOException {
        long number = 0;
        for (byte one : readFully(bytes, deadlineNanos)) {
            number = number << 8 | one & 0xff;
        }
        return number;
    }

    private byte[] readFully(int length, long deadlineNanos) throws IOException {
        byte[] bytes = new byte[length];
        for (int at = 0; at < length;) {
            int left = deadlineNanos == Long.MAX_VALUE ? 0 : NicClock.millisUntil(deadlineNanos);
            if (left == 0 && deadlineNanos != Long.MAX_VALUE) {
                throw new SocketTimeoutException("no answer in time");
            }
            socket.setSoTimeout(left);
            int count = in.read(bytes, at, length - at);
            if (count < 0) {
                throw new EOFException("the peer closed the connection");
            }
            at += count;
        }
        return bytes;
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // It is of no further use either way.
            return;
        }
    }
}
