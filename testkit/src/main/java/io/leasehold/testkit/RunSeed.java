package io.leasehold.testkit;

import java.util.SplittableRandom;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.AroundPropertyHook;
import net.jqwik.api.lifecycle.PropagationMode;
import net.jqwik.api.lifecycle.PropertyExecutionResult;
import net.jqwik.api.lifecycle.PropertyExecutor;
import net.jqwik.api.lifecycle.PropertyLifecycleContext;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;

/// The seed of everything random in this run of the tests that does not come from jqwik.
///
/// It is another in each run unless the system property `leasehold.seed` sets it. A test class that is [Reported] names it with each
/// failure.
public final class RunSeed implements TestExecutionExceptionHandler, AroundPropertyHook {
    private static final String PROPERTY = "leasehold.seed";
    private static final long VALUE = Long.getLong(PROPERTY, new SplittableRandom().nextLong(1_000_000_000_000L));

    /// The extension; JUnit and jqwik create it.
    public RunSeed() {
    }

    /// The seed.
    public static long value() {
        return VALUE;
    }

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
        throw withSeed(failure);
    }

    @Override
    public PropagationMode propagateTo() {
        return PropagationMode.ALL_DESCENDANTS;
    }

    @Override
    public PropertyExecutionResult aroundProperty(PropertyLifecycleContext context, PropertyExecutor property) {
        PropertyExecutionResult result = property.execute();
        result.throwable().ifPresent(RunSeed::withSeed);
        return result;
    }

    private static Throwable withSeed(Throwable failure) {
        failure.addSuppressed(new Note());
        return failure;
    }

    /// To be implemented by a test class that uses the seed: it is then named with each failure.
    @ExtendWith(RunSeed.class)
    @AddLifecycleHook(RunSeed.class)
    public interface Reported {
    }

    /// Appears below the failure.
    private static final class Note extends Exception {
        private static final long serialVersionUID = 1;

        Note() {
            super("the seed of this run is " + VALUE + "; repeat it with -D" + PROPERTY + "=" + VALUE, null, false, false);
        }
    }
}
