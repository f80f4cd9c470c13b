package io.leasehold.rdma;

import io.leasehold.rdma.ProbeReport.Subject;
import java.io.PrintStream;
import java.util.List;

/// The program that tries whether a device keeps the promises that leases rest on, and tells people, see [RdmaDevice#probe()].
final class ProbeMain {
    static final String USAGE = """
            Usage: probe [--device DEVICE]

            Tries what leases rest on, with queue pairs of one device that are connected to each other: a window opens to the right
            that it was bound with and to no other, nothing beside it can be reached, and an old key opens nothing. Ends with 0 if
            all is as it must be, and with 1 if something is not, or there is no such device.

              --device DEVICE  verbs, the first RDMA device; verbs:NAME, as ibv_devices names it, or verbs:NAME/PORT/GID-INDEX;
                               or soft, the software fabric (verbs)
            """;
    private static final int EXIT_FAILED = 1;
    private static final int EXIT_USAGE = 2;

    private ProbeMain() {
    }

    /// Probes; the exit status is 0 if nothing failed, 1 if something did or there is no device, and 2 for a wrong command line.
    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments), System.out, System.err));
    }

    static int run(List<String> arguments, PrintStream out, PrintStream err) {
        if (arguments.contains("--help")) {
            out.print(USAGE);
            return 0;
        }
        DeviceOptions options;
        try {
            options = parse(arguments);
        } catch (IllegalArgumentException e) {
            err.println("leasehold probe: " + e.getMessage());
            err.print(USAGE);
            return EXIT_USAGE;
        }
        return probe(options, out, err);
    }

    private static DeviceOptions parse(List<String> arguments) {
        if (arguments.isEmpty()) {
            return DeviceOptions.verbs();
        }
        if (arguments.size() == 2 && arguments.getFirst().equals("--device")) {
            return DeviceOptions.parse(arguments.getLast());
        }
        throw new IllegalArgumentException("cannot make sense of '" + String.join(" ", arguments) + "'");
    }

    private static int probe(DeviceOptions options, PrintStream out, PrintStream err) {
        try (RdmaDevice device = RdmaDevice.open(options)) {
            DeviceAttributes attributes = device.attributes();
            ProbeReport report = device.probe();
            out.println("device " + attributes.name() + " of provider '" + attributes.provider() + "': "
                    + attributes.maxWindows() + " memory windows of " + attributes.windowTypes() + ", " + attributes.maxQueuePairs()
                    + " queue pairs, " + attributes.maxReadAtomic() + " READs and atomics on the way on each");
            report.trials().forEach(out::println);
            int failed = report.failures().size();
            boolean onWindows = attributes.windowBoundsEnforced() && attributes.windowTypes().contains(MemoryWindowType.TYPE_2B);
            boolean hold = report.passed(Subject.REGIONS) && (!onWindows || report.passed(Subject.WINDOWS));
            out.println((failed == 0 ? "All " + report.trials().size() + " trials ended as they must: "
                    : failed + " of " + report.trials().size() + " trials FAILED: ")
                    + (hold ? "leases on this device hold" : "this device does not enforce all that leases promise")
                    + (onWindows ? "." : "; they rest on memory regions."));
            return failed == 0 ? 0 : EXIT_FAILED;
        } catch (RdmaException e) {
            err.println("leasehold probe: " + e.getMessage());
            return EXIT_FAILED;
        }
    }
}
