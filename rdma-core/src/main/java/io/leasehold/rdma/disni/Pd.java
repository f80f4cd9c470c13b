package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvPd;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsProtectionDomain;
import java.io.IOException;

/// A protection domain.
final class Pd extends IbvPd {
    private final VerbsProtectionDomain domain;

    Pd(Context context, VerbsProtectionDomain domain) throws IOException {
        super(context);
        this.domain = domain;
        handle = domain.kernelNumber();
    }

    VerbsProtectionDomain open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "the protection domain is closed; " + what + " is not possible");
        }
        return domain;
    }

    void free() throws IOException {
        Failures.run(domain::close);
        close();
    }
}
