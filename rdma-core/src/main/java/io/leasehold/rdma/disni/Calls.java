package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.SVCDeregMr;
import com.ibm.disni.verbs.SVCRegMr;
import com.ibm.disni.verbs.SVCReqNotify;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsMemoryRegion;
import io.leasehold.rdma.internal.verbs.VerbsProtectionDomain;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The stateful verb calls of the control path: each is made by its verb, and does it when it is executed.
final class Calls {
    private Calls() {
    }

    private static IOException freed(String what) {
        return Failures.io(RdmaError.CLOSED, what + ": the call was freed");
    }

    /// `ibv_reg_mr`.
    static final class RegMr extends SVCRegMr {
        private final Pd domain;
        private final MemorySegment memory;
        private final int access;
        private @Nullable Mr region;
        private boolean valid = true;

        RegMr(Pd domain, MemorySegment memory, int access) throws IOException {
            domain.open("regMr");
            this.domain = domain;
            this.memory = memory;
            this.access = access;
        }

        @Override
        public SVCRegMr execute() throws IOException {
            if (!valid) {
                throw freed("regMr");
            }
            VerbsProtectionDomain open = domain.open("regMr");
            Set<AccessFlag> rights;
            try {
                rights = AccessFlag.of(access);
            } catch (IllegalArgumentException e) {
                throw Failures.io(RdmaError.UNSUPPORTED, "regMr: access 0x" + Integer.toHexString(access)
                        + " has bits other than LOCAL_WRITE 1, REMOTE_WRITE 2, REMOTE_READ 4, REMOTE_ATOMIC 8 and MW_BIND 16");
            }
            VerbsMemoryRegion made = (VerbsMemoryRegion) Failures.get(() -> open.register(memory, rights));
            region = new Mr((Context) domain.getContext(), made, access);
            return this;
        }

        /// The region that the last execution has registered.
        @Override
        @SuppressWarnings("NullAway") // DiSNI's own answer before execute(), too.
        public IbvMr getMr() {
            return region;
        }

        @Override
        public boolean isValid() {
            return valid;
        }

        @Override
        public SVCRegMr free() {
            valid = false;
            return this;
        }
    }

    /// `ibv_dereg_mr`.
    static final class DeregMr extends SVCDeregMr {
        private final Mr region;
        private boolean valid = true;

        DeregMr(Mr region) {
            this.region = region;
        }

        @Override
        public SVCDeregMr execute() throws IOException {
            if (!valid) {
                throw freed("deregMr");
            }
            region.free();
            return this;
        }

        @Override
        public boolean isValid() {
            return valid;
        }

        @Override
        public SVCDeregMr free() {
            valid = false;
            return this;
        }
    }

    /// `ibv_req_notify_cq`.
    static final class ReqNotify extends SVCReqNotify {
        private final Cq queue;
        private final boolean solicitedOnly;
        private boolean valid = true;

        ReqNotify(Cq queue, boolean solicitedOnly) throws IOException {
            queue.open("reqNotification");
            this.queue = queue;
            this.solicitedOnly = solicitedOnly;
        }

        @Override
        public SVCReqNotify execute() throws IOException {
            if (!valid) {
                throw freed("reqNotification");
            }
            queue.requestNotification(solicitedOnly);
            return this;
        }

        @Override
        public boolean isValid() {
            return valid;
        }

        @Override
        public SVCReqNotify free() {
            valid = false;
            return this;
        }
    }
}
