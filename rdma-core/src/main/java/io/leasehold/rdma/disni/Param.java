package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaConnParam;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.CmId;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Connection parameters that keep their private data alive, which DiSNI names by address.
final class Param extends RdmaConnParam {
    private static final int RETRIES_MAX = 7;

    // Collected with the parameters, which have no end.
    private final MemorySegment data;

    Param(byte[] privateData, int responderResources, int initiatorDepth) {
        data = Arena.ofAuto().allocate(Math.max(1, privateData.length));
        MemorySegment.copy(privateData, 0, data, ValueLayout.JAVA_BYTE, 0, privateData.length);
        private_data_addr = privateData.length == 0 ? 0 : data.address();
        private_data_len = (byte) privateData.length;
        responder_resources = (byte) responderResources;
        initiator_depth = (byte) initiatorDepth;
    }

    /// The private data that parameters of any kind name.
    // The program names memory by its address: that it exists, it alone knows.
    @SuppressWarnings("restricted")
    static byte[] privateData(RdmaConnParam parameters) {
        int length = parameters.getPrivate_data_len() & 0xff;
        if (parameters.getPrivate_data() == 0 || length == 0) {
            return new byte[0];
        }
        return MemorySegment.ofAddress(parameters.getPrivate_data()).reinterpret(length).toArray(ValueLayout.JAVA_BYTE);
    }

    /// What the program asks for, or, where it leaves 0, the most retries that end: with none, the first lost packet would end the
    /// connection.
    static int retries(String name, byte asked) throws IOException {
        if (asked < 0 || asked > RETRIES_MAX) {
            throw Failures.io(RdmaError.INVALID_ARGUMENT, name + " is " + asked + ", outside 0 to " + RETRIES_MAX);
        }
        return asked == 0 ? CmId.RETRIES : asked;
    }
}
