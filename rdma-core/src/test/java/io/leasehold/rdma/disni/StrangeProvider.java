package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaProvider;
import com.ibm.disni.verbs.RdmaVerbs;

/// Somebody else's.
public final class StrangeProvider extends RdmaProvider {
    /// For reflection.
    public StrangeProvider() {
    }

    @Override
    public RdmaCm openCm() {
        throw new UnsupportedOperationException();
    }

    @Override
    public RdmaVerbs openVerbs() {
        throw new UnsupportedOperationException();
    }

    @Override
    public int getVersion() {
        return 0;
    }
}
