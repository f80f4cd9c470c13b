package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvMr;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsMemoryRegion;
import java.io.IOException;

/// A memory region. It keeps the buffer that it was made of from being collected.
final class Mr extends IbvMr {
    private final VerbsMemoryRegion region;

    Mr(Context context, VerbsMemoryRegion region, int access) throws IOException {
        super(context, region.address(), (int) region.lengthBytes(), access, region.localKey(), region.remoteKey(),
                region.kernelNumber());
        this.region = region;
    }

    VerbsMemoryRegion open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "the memory region with key 0x" + Integer.toHexString(region.localKey())
                    + " is deregistered; " + what + " is not possible");
        }
        return region;
    }

    void free() throws IOException {
        Failures.run(region::close);
        close();
    }
}
