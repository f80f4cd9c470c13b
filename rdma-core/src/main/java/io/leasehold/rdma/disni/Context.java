package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvContext;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsDevice;
import java.io.IOException;

/// A device.
final class Context extends IbvContext {
    private final VerbsDevice device;

    Context(VerbsDevice device) throws IOException {
        super(device.commandDescriptor(), device.completionVectors());
        this.device = device;
    }

    VerbsDevice device() {
        return device;
    }

    VerbsDevice open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "the context of device " + device.attributes().name() + " is closed; " + what
                    + " is not possible");
        }
        return device;
    }

    /// Closes the device, and all that is left of it.
    @Override
    public void close() {
        super.close();
        device.close();
    }
}
