package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Runs what needs leases on the RDMA device of this machine, and skips it, with the reason, where there is none, or where it does
/// not check what leases rest on.
public final class WithRdmaDevice implements ExecutionCondition {
    /// For JUnit to call.
    public WithRdmaDevice() {
    }

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.verbs())) {
            return device.attributes().windowBoundsEnforced()
                    ? ConditionEvaluationResult.enabled("device " + device.attributes().name())
                    : ConditionEvaluationResult.disabled(
                            "the device does not check the bounds of windows, and leases do not work around that");
        } catch (RdmaException e) {
            if (e.error() == RdmaError.UNSUPPORTED) {
                return ConditionEvaluationResult.disabled(e.getMessage());
            }
            throw e;
        }
    }
}
