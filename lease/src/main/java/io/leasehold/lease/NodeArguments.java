package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The command line of [NodeMain].
///
/// @param conf the file that says where the cluster's memcached is, or `null` for a node that is found by its address only
/// @param memoryBytes memory to own
/// @param device the device to serve the memory by, and where it listens
/// @param cluster the cluster's id
/// @param node the node's number
/// @param untilStdinCloses whether the node ends with its standard input
record NodeArguments(@Nullable Path conf, long memoryBytes, DeviceOptions device, String cluster, int node,
        boolean untilStdinCloses) {
    static final String USAGE = """
            Usage: node --memory SIZE [OPTION...]

              --memory SIZE          memory to own, a multiple of 1 MiB: 512m, 2g
              --device DEVICE        what serves the memory: soft, the software fabric; verbs, the first RDMA device; or
                                     verbs:NAME, as ibv_devices names it (soft)
              --host HOST            address to listen at, and to be reached at (127.0.0.1)
              --port PORT            port to listen at, 0 for any free one (0)
              --conf FILE            publish the address in the memcached that FILE names: host, then port
              --cluster ID           name of the cluster there (leasehold)
              --node N               number of this node in the cluster, 0 to 1023 (0)
              --until-stdin-closes   end when the standard input does
            """;

    private static final Pattern SIZE = Pattern.compile("(\\d{1,12})([kmg]?)");

    /// Reads a command line.
    ///
    /// @throws IllegalArgumentException naming the argument that is wrong, in one sentence
    static NodeArguments parse(List<String> arguments) {
        Path conf = null;
        long memoryBytes = 0;
        DeviceOptions device = DeviceOptions.soft();
        String host = device.host();
        int port = 0;
        String cluster = "leasehold";
        int node = 0;
        boolean untilStdinCloses = false;
        Iterator<String> rest = arguments.iterator();
        while (rest.hasNext()) {
            String option = rest.next();
            switch (option) {
                case "--conf" -> conf = Path.of(value(option, rest));
                case "--memory" -> memoryBytes = size(option, value(option, rest));
                case "--device" -> device = device(option, value(option, rest));
                case "--host" -> host = value(option, rest);
                case "--port" -> port = number(option, value(option, rest), 65_535);
                case "--cluster" -> cluster = value(option, rest);
                case "--node" -> node = number(option, value(option, rest), 1023);
                case "--until-stdin-closes" -> untilStdinCloses = true;
                default -> throw new IllegalArgumentException("unknown argument '" + option + "'");
            }
        }
        if (memoryBytes == 0) {
            throw new IllegalArgumentException("--memory is missing; say how much memory the node owns, as --memory 2g");
        }
        return new NodeArguments(conf, memoryBytes, device.withAddress(host, port), cluster, node, untilStdinCloses);
    }

    NodeOptions options() {
        NodeOptions options = NodeOptions.ofMemory(memoryBytes).withNode(node);
        return options.withDevice(device.withMaxWindows(options.device().maxWindows()));
    }

    /// The memory as a person writes it.
    String memoryText() {
        long mebibytes = memoryBytes >> 20;
        return mebibytes % 1024 == 0 ? mebibytes / 1024 + " GiB" : mebibytes + " MiB";
    }

    private static String value(String option, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value");
        }
        return rest.next();
    }

    private static DeviceOptions device(String option, String text) {
        try {
            return DeviceOptions.parse(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(option + " " + e.getMessage(), e);
        }
    }

    private static int number(String option, String text, int max) {
        if (!text.matches("\\d{1,5}") || Integer.parseInt(text) > max) {
            throw new IllegalArgumentException(option + " " + text + " is no number from 0 to " + max);
        }
        return Integer.parseInt(text);
    }

    private static long size(String option, String text) {
        Matcher matcher = SIZE.matcher(text.toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw new IllegalArgumentException(option + " " + text + " is no size; write it as 512m or 2g");
        }
        int shift = switch (matcher.group(2)) {
            case "k" -> 10;
            case "m" -> 20;
            case "g" -> 30;
            default -> 0;
        };
        long count = Long.parseLong(matcher.group(1));
        long bytes = count << shift;
        if (bytes < 1 << 20 || bytes % (1 << 20) != 0 || bytes >> shift != count || bytes > 1L << 38) {
            throw new IllegalArgumentException(option + " " + text + " is no multiple of 1 MiB between 1 MiB and 256 GiB");
        }
        return bytes;
    }
}
