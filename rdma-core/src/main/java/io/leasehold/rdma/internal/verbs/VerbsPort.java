package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/// The port and the GID that the queue pairs of a device use.
///
/// @param number the port, from 1
/// @param lid its local identifier; of use on InfiniBand only
/// @param global whether every packet needs a GID, as on RoCE, and on those ports of InfiniBand that say so
/// @param mtu `enum ibv_mtu` of the port now: 256 bytes times 2^(mtu - 1)
/// @param maxMessageBytes longest transfer
/// @param gidIndex the place of the GID in the port's table
/// @param gid its 16 bytes
record VerbsPort(int number, int lid, boolean global, int mtu, long maxMessageBytes, int gidIndex, byte[] gid) {
    private static final int GIDS_MAX = 1024;
    private static final int SUBNET_BYTES = 8;

    /// The kinds of GID, best first: what crosses routers before what does not, and what an IP address is known for before what
    /// is made of a hardware address.
    enum Kind {
        /// RoCE v2 of an IPv4 address, `::ffff:a.b.c.d`.
        ROCE_V2_IPV4,
        /// RoCE v2 of an IPv6 address other than a link-local one.
        ROCE_V2_IPV6,
        /// InfiniBand; there is one a port, unless subnets are joined.
        INFINIBAND,
        /// RoCE v2 of a link-local address.
        ROCE_V2_LOCAL,
        /// RoCE v1: one Ethernet segment only.
        ROCE_V1;

        static Kind of(byte[] gid, int type) {
            return switch (type) {
                case 0 -> INFINIBAND;
                case 1 -> ROCE_V1;
                default -> isIpv4(gid) ? ROCE_V2_IPV4 : (gid[0] & 0xff) == 0xfe ? ROCE_V2_LOCAL : ROCE_V2_IPV6;
            };
        }

        private static boolean isIpv4(byte[] gid) {
            for (int i = 0; i < 10; i++) {
                if (gid[i] != 0) {
                    return false;
                }
            }
            return gid[10] == -1 && gid[11] == -1;
        }
    }

    private record Candidate(int index, Kind kind, byte[] gid) {
    }

    /// Chooses the port and the GID that `wanted` names, or else the first active port and its best GID: one of the address at
    /// which the device is to be reached before others, and of several the best [Kind] with the lowest index.
    ///
    /// @param host the address at which the device is to be reached
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] if there is no such port or GID, or no port is up
    static VerbsPort choose(VerbsLibrary library, long context, String device, DeviceName wanted, int ports, byte[] host) {
        try (Scratch scratch = new Scratch()) {
            long attributes = scratch.allocate(Abi.PortInfo.BYTES);
            for (int port = 1; port <= ports; port++) {
                if (wanted.port() != 0 && wanted.port() != port) {
                    continue;
                }
                library.queryPort(context, port, attributes);
                if (RawMemory.getInt(attributes + Abi.PortInfo.STATE) == Abi.PortInfo.ACTIVE) {
                    return of(port, attributes, choose(gids(library, context, port), device, wanted, host));
                }
            }
        }
        throw new RdmaException(RdmaError.UNSUPPORTED, "RDMA device " + device + " has " + ports + " port(s) and none that is "
                + (wanted.port() == 0 ? "" : "number " + wanted.port() + " and ")
                + "active; bring its link or network interface up (ibv_devinfo shows its state)");
    }

    private static VerbsPort of(int port, long attributes, Candidate gid) {
        return new VerbsPort(port, RawMemory.getShort(attributes + Abi.PortInfo.LID) & 0xffff,
                RawMemory.getByte(attributes + Abi.PortInfo.LINK_LAYER) == Abi.PortInfo.ETHERNET
                        || (RawMemory.getByte(attributes + Abi.PortInfo.FLAGS) & Abi.PortInfo.GLOBAL_ROUTE) != 0,
                RawMemory.getInt(attributes + Abi.PortInfo.ACTIVE_MTU),
                RawMemory.getInt(attributes + Abi.PortInfo.MAX_MESSAGE_BYTES) & 0xffff_ffffL, gid.index(), gid.gid());
    }

    private static List<Candidate> gids(VerbsLibrary library, long context, int port) {
        try (Scratch scratch = new Scratch()) {
            long entries = scratch.allocate((long) GIDS_MAX * Abi.GidEntry.BYTES);
            int count = library.queryGidTable(context, entries, GIDS_MAX);
            List<Candidate> found = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                long entry = entries + (long) i * Abi.GidEntry.BYTES;
                if (RawMemory.getInt(entry + Abi.GidEntry.PORT) == port) {
                    byte[] gid = RawMemory.getBytes(entry + Abi.GidEntry.GID, 16);
                    found.add(new Candidate(RawMemory.getInt(entry + Abi.GidEntry.INDEX),
                            Kind.of(gid, RawMemory.getInt(entry + Abi.GidEntry.TYPE)), gid));
                }
            }
            return found;
        }
    }

    private static Candidate choose(List<Candidate> gids, String device, DeviceName wanted, byte[] host) {
        Candidate best = null;
        long bestRank = Long.MAX_VALUE;
        for (Candidate gid : gids) {
            if (wanted.gidIndex() >= 0 && wanted.gidIndex() != gid.index()) {
                continue;
            }
            long rank = (isOf(gid.gid(), host) ? 0L : 1L) << 40 | (long) gid.kind().ordinal() << 32 | gid.index();
            if (rank < bestRank) {
                best = gid;
                bestRank = rank;
            }
        }
        if (best == null) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "RDMA device " + device + " has "
                    + (gids.isEmpty() ? "no GID: give its network interface an IP address"
                            : "no GID with index " + wanted.gidIndex() + "; it has " + gids.stream().map(Candidate::index).toList()));
        }
        return best;
    }

    /// Whether packets to the port with that GID need it: it is in another subnet, unless all do.
    boolean needsGid(byte[] peer) {
        return global || !Arrays.equals(gid, 0, SUBNET_BYTES, peer, 0, SUBNET_BYTES);
    }

    /// Whether the GID is made of the IP address, which may be empty.
    private static boolean isOf(byte[] gid, byte[] address) {
        if (address.length == 0) {
            return false;
        }
        return HexFormat.of().formatHex(gid).endsWith((address.length == 4 ? "ffff" : "") + HexFormat.of().formatHex(address));
    }
}
