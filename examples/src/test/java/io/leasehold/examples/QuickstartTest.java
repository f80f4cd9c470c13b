package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class QuickstartTest {
    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void printsWhatIsLeft() throws InterruptedException {
        assertThat(printedBy(() -> Quickstart.main(new String[0]))).isEqualToIgnoringNewLines("9 apples left, 1 order to go");
    }

    interface Program {
        void run() throws InterruptedException;
    }

    /// What `program` prints in this process.
    static String printedBy(Program program) throws InterruptedException {
        PrintStream out = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            program.run();
        } finally {
            System.setOut(out);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
