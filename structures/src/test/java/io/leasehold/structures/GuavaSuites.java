package io.leasehold.structures;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import junit.framework.Test;
import junit.framework.TestCase;
import junit.framework.TestFailure;
import junit.framework.TestResult;
import junit.framework.TestSuite;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;

/// Shows the conformance suites of guava-testlib, which are of JUnit 3, to JUnit 5.
final class GuavaSuites {
    private GuavaSuites() {
    }

    /// The tests of `suite`, one node each.
    static List<DynamicNode> of(TestSuite suite) {
        List<DynamicNode> nodes = new ArrayList<>();
        for (Test test : Collections.list(suite.tests())) {
            if (test instanceof TestSuite inner) {
                nodes.add(DynamicContainer.dynamicContainer(inner.getName(), of(inner)));
            } else {
                nodes.add(DynamicTest.dynamicTest(test instanceof TestCase named ? named.getName() : test.toString(),
                        () -> run(test)));
            }
        }
        return nodes;
    }

    /// The number of tests in `suite`: a suite that filtered everything away passes too, and must be noticed.
    static int count(TestSuite suite) {
        AtomicInteger count = new AtomicInteger();
        Collections.list(suite.tests()).forEach(test -> count.addAndGet(test instanceof TestSuite inner ? count(inner) : 1));
        return count.get();
    }

    private static void run(Test test) throws Throwable {
        TestResult result = new TestResult();
        test.run(result);
        for (List<TestFailure> problems : List.of(Collections.list(result.errors()), Collections.list(result.failures()))) {
            if (!problems.isEmpty()) {
                throw problems.getFirst().thrownException();
            }
        }
    }
}
