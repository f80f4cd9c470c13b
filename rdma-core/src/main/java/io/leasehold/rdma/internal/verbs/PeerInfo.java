package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.QueuePairAddress;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/// What one queue pair must know of another to be connected to it.
///
/// ```
/// device 8 | host UTF | port 2 | number 4 | psn 4 | lid 2 | gid 16 | mtu 1 | initiates 1 | serves 1 | patience 4
/// ```
///
/// @param address where it can be reached
/// @param psn the sequence number of its first packet, 24 bits
/// @param lid the local identifier of its port
/// @param gid the GID of its port
/// @param mtu `enum ibv_mtu` of its port
/// @param initiates reads and atomics that it wants on the way at once
/// @param serves reads and atomics that it can serve at once
/// @param patienceMicros how long its SENDs shall wait for a receive, in microseconds
record PeerInfo(QueuePairAddress address, int psn, int lid, byte[] gid, int mtu, int initiates, int serves, int patienceMicros) {
    private static final int GID_BYTES = 16;

    void write(DataOutputStream out) throws IOException {
        out.writeLong(address.endpoint().device());
        out.writeUTF(address.endpoint().host());
        out.writeShort(address.endpoint().port());
        out.writeInt(address.number());
        out.writeInt(psn);
        out.writeShort(lid);
        out.write(gid);
        out.writeByte(mtu);
        out.writeByte(initiates);
        out.writeByte(serves);
        out.writeInt(patienceMicros);
    }

    /// Reads and checks it: all comes from a peer that may be anybody.
    static PeerInfo read(DataInputStream in) throws IOException {
        long device = in.readLong();
        String host = in.readUTF();
        int port = in.readUnsignedShort();
        int number = in.readInt();
        int psn = in.readInt();
        int lid = in.readUnsignedShort();
        byte[] gid = in.readNBytes(GID_BYTES);
        int mtu = in.readUnsignedByte();
        int initiates = in.readUnsignedByte();
        int serves = in.readUnsignedByte();
        int patience = in.readInt();
        if (gid.length != GID_BYTES || number >>> 24 != 0 || psn >>> 24 != 0 || mtu < 1 || mtu > 5 || patience < 0) {
            throw new ExchangeException("the peer describes a queue pair that cannot be");
        }
        try {
            return new PeerInfo(new QueuePairAddress(new EndpointAddress(VerbsProvider.NAME, host, port, device), number), psn,
                    lid, gid, mtu, initiates, serves, patience);
        } catch (IllegalArgumentException e) {
            throw new ExchangeException("the peer gives an address that cannot be: " + e.getMessage());
        }
    }
}
