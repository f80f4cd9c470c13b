package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Runs what needs the RDMA device of this machine, and skips it, with the reason, where there is none.
public final class WithRdmaDevice implements ExecutionCondition {
    /// For JUnit to call.
    public WithRdmaDevice() {
    }

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.verbs())) {
            return ConditionEvaluationResult.enabled("device " + device.attributes().name());
        } catch (RdmaException e) {
            if (e.error() == RdmaError.UNSUPPORTED) {
                return ConditionEvaluationResult.disabled(e.getMessage());
            }
            throw e;
        }
    }
}
