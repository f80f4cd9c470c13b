package io.leasehold.benchmarks;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The program `bin/leasehold bench`.
@Command(name = "bin/leasehold bench", mixinStandardHelpOptions = true,
        subcommands = {StructuresCommand.class, PeersCommand.class, ProtectionCommand.class, RecoveryCommand.class, ScalingCommand.class,
                PiecesCommand.class},
        description = "Measures Leasehold. The software fabric's figures say nothing about RDMA hardware, and only ratios within one run "
                + "mean something.",
        exitCodeListHeading = "Exit status:%n",
        exitCodeList = {"0:it ran, and with --check all bars that were measured hold", "1:something failed, or a bar falls short",
            "2:the command line is wrong"})
final class Bench implements Callable<Integer> {
    private Bench() {
    }

    /// Runs the benchmark that the arguments name.
    public static void main(String[] arguments) {
        System.setProperty("java.awt.headless", "true");
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Bench()).setCaseInsensitiveEnumValuesAllowed(true);
    }

    @Override
    public Integer call() {
        CommandLine.usage(this, System.err);
        return CommandLine.ExitCode.USAGE;
    }
}
