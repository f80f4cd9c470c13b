package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaProvider;
import com.ibm.disni.verbs.RdmaVerbs;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.internal.verbs.CmChannel;
import io.leasehold.rdma.internal.verbs.VerbsDevice;

/// What [RdmaProvider#provider()] answers once Leasehold is installed.
final class Provider extends RdmaProvider {
    /// The version of the interface between DiSNI and its native part that DiSNI 2.1 asks for.
    private static final int VERSION = 32;

    private final Devices devices =
            new Devices(name -> (VerbsDevice) RdmaDevice.open(DeviceOptions.verbs().withDevice(name)));
    private final Cm cm = new Cm(devices, CmChannel::open);
    private final Verbs verbs = new Verbs();

    Cm cm() {
        return cm;
    }

    Devices devices() {
        return devices;
    }

    @Override
    public RdmaCm openCm() {
        return cm;
    }

    @Override
    public RdmaVerbs openVerbs() {
        return verbs;
    }

    @Override
    public int getVersion() {
        return VERSION;
    }
}
