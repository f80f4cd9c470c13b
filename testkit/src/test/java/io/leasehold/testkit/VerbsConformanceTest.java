package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.util.EnumSet;
import java.util.Set;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.LifecycleContext;
import net.jqwik.api.lifecycle.SkipExecutionHook;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;

/// The whole contract on the RDMA device of this machine; skipped, and the reason told, where there is none.
@Tag("rdma")
@AddLifecycleHook(VerbsConformanceTest.WithoutDevice.class)
class VerbsConformanceTest implements RdmaProviderContract {
    /// Names the device, if it has quirks: `rxe` with the bounds of windows mended, or `rxe-as-shipped`.
    private static final String DEVICE = "leasehold.test.device";
    /// As many as the contract can exhaust quickly.
    private static final int WINDOWS = 2048;

    /// jqwik knows no assumptions that concern a whole property.
    static final class WithoutDevice implements SkipExecutionHook {
        @Override
        public SkipResult shouldBeSkipped(LifecycleContext context) {
            try (RdmaDevice _ = RdmaDevice.open(DeviceOptions.verbs())) {
                return SkipResult.doNotSkip();
            } catch (RdmaException e) {
                return e.error() == RdmaError.UNSUPPORTED ? SkipResult.skip(e.getMessage()) : SkipResult.doNotSkip();
            }
        }
    }

    @Override
    public Set<Quirk> quirks() {
        return switch (System.getProperty(DEVICE, "")) {
            case "rxe" -> EnumSet.complementOf(EnumSet.of(Quirk.WINDOW_BOUNDS_UNCHECKED));
            case "rxe-as-shipped" -> EnumSet.allOf(Quirk.class);
            default -> EnumSet.noneOf(Quirk.class);
        };
    }

    @Override
    public RdmaDevice openDevice() {
        try {
            return RdmaDevice.open(DeviceOptions.verbs().withMaxWindows(WINDOWS));
        } catch (RdmaException e) {
            Assumptions.assumeFalse(e.error() == RdmaError.UNSUPPORTED, e.getMessage());
            throw e;
        }
    }
}
