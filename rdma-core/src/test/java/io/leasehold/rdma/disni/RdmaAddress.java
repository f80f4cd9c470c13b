package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.util.Collections;
import org.junit.jupiter.api.Assumptions;

/// The address of this machine that belongs to an RDMA device; tests are skipped, and told why, where there is none.
final class RdmaAddress {
    private RdmaAddress() {
    }

    static InetSocketAddress anyPort() throws IOException {
        RdmaEventChannel channel;
        try {
            channel = RdmaEventChannel.createEventChannel();
        } catch (IOException e) {
            return Assumptions.abort(e.getMessage());
        }
        try {
            for (NetworkInterface one : Collections.list(NetworkInterface.getNetworkInterfaces())) {
                for (InetAddress address : Collections.list(one.getInetAddresses())) {
                    if (address instanceof Inet4Address && !address.isLoopbackAddress()
                            && belongsToDevice(channel, new InetSocketAddress(address, 0))) {
                        return new InetSocketAddress(address, 0);
                    }
                }
            }
        } finally {
            channel.destroyEventChannel();
        }
        return Assumptions.abort("no address of this machine belongs to an RDMA device");
    }

    private static boolean belongsToDevice(RdmaEventChannel channel, InetSocketAddress address) throws IOException {
        RdmaCmId id = channel.createId(RdmaCm.RDMA_PS_TCP);
        try {
            id.bindAddr(address);
            return id.getVerbs() != null;
        } catch (IOException e) {
            return false;
        } finally {
            id.destroyId();
        }
    }

    /// An address of the same network, if it is the one of the guest or like it, that nobody has.
    static InetAddress ofNobody(InetAddress own) throws IOException {
        byte[] bytes = own.getAddress();
        bytes[3] = (byte) (bytes[3] == (byte) 200 ? 201 : 200);
        return InetAddress.getByAddress(bytes);
    }

}
