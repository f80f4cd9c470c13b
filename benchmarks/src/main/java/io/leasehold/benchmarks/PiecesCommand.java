package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Unmatched;

/// The JMH benchmarks of the pieces.
@Command(name = "pieces",
        description = "single operations, by JMH; all arguments are JMH's, e.g. pieces LeaseDataPath -prof gc, and -h is its help")
final class PiecesCommand implements Callable<Integer> {
    @Unmatched
    private List<String> arguments = new ArrayList<>();

    @Override
    public Integer call() throws Exception {
        org.openjdk.jmh.Main.main(arguments.toArray(String[]::new));
        return CommandLine.ExitCode.OK;
    }
}
