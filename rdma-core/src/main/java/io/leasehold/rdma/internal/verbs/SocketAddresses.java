package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/// Java's socket addresses as C's `struct sockaddr_in` and `sockaddr_in6`, see [Abi.SocketAddress].
final class SocketAddresses {
    private SocketAddresses() {
    }

    /// Writes `address` to fresh memory.
    ///
    /// @return its address
    /// @throws RdmaException with [RdmaError#INVALID_ARGUMENT] if it is of another kind, or a name that is not resolved
    static long write(Scratch scratch, SocketAddress address) {
        if (!(address instanceof InetSocketAddress internet) || internet.isUnresolved()) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "address " + address + " is no resolved IP address with a port; give an InetSocketAddress of a known host");
        }
        long at = scratch.allocate(Abi.SocketAddress.BYTES);
        int port = internet.getPort();
        RawMemory.putByte(at + Abi.SocketAddress.PORT, port >>> 8);
        RawMemory.putByte(at + Abi.SocketAddress.PORT + 1, port);
        byte[] bytes = internet.getAddress().getAddress();
        if (internet.getAddress() instanceof Inet6Address v6) {
            RawMemory.putShort(at + Abi.SocketAddress.FAMILY, Abi.SocketAddress.INET6);
            RawMemory.putBytes(at + Abi.SocketAddress.ADDRESS_V6, bytes);
            RawMemory.putInt(at + Abi.SocketAddress.SCOPE_V6, v6.getScopeId());
        } else {
            RawMemory.putShort(at + Abi.SocketAddress.FAMILY, Abi.SocketAddress.INET);
            RawMemory.putBytes(at + Abi.SocketAddress.ADDRESS_V4, bytes);
        }
        return at;
    }

    /// The address there, or `null` if it is of neither kind, as before one is known.
    static @Nullable InetSocketAddress read(long at) {
        int family = RawMemory.getShort(at + Abi.SocketAddress.FAMILY);
        int port = (RawMemory.getByte(at + Abi.SocketAddress.PORT) & 0xff) << 8
                | RawMemory.getByte(at + Abi.SocketAddress.PORT + 1) & 0xff;
        try {
            return switch (family) {
                case Abi.SocketAddress.INET -> new InetSocketAddress(
                        InetAddress.getByAddress(RawMemory.getBytes(at + Abi.SocketAddress.ADDRESS_V4, 4)), port);
                case Abi.SocketAddress.INET6 -> new InetSocketAddress(
                        InetAddress.getByAddress(RawMemory.getBytes(at + Abi.SocketAddress.ADDRESS_V6, 16)), port);
                default -> null;
            };
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address of 4 or 16 bytes", e);
        }
    }
}
