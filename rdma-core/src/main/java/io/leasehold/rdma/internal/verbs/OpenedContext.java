package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// A device that was chosen, opened and checked.
///
/// @param context `ibv_context *`
/// @param operations its data path
/// @param port the port to use
/// @param attributes what it has
/// @param maxScatters most local ranges of one request
/// @param isRxe whether it is the kernel's software device, whose oddities are known
record OpenedContext(long context, ContextOperations operations, VerbsPort port, DeviceAttributes attributes, int maxScatters,
        boolean isRxe) {
    /// Which calls are critical, see [ContextOperations]: `none`, `poll` or `all`.
    private static final String CRITICAL = "leasehold.verbs.critical";
    private static final String NO_RDMA = "no RDMA on this machine: ";
    private static final int COMPLETION_QUEUES_MAX = 1 << 16;
    private static final int WORK_REQUESTS_MAX = 1 << 15;
    /// No device says how long a window it binds. mlx5 refuses longer ones when they are posted.
    private static final long WINDOW_BYTES_MAX = 1L << 31;

    /// Opens the device that `options` name.
    ///
    /// @throws RdmaException with one sentence that says what is missing and how to get it
    static OpenedContext open(VerbsLibrary library, DeviceOptions options) {
        DeviceName wanted = DeviceName.parse(options.device());
        List<VerbsLibrary.ListedDevice> devices = list(library);
        try {
            List<RdmaException> reasons = new ArrayList<>();
            for (VerbsLibrary.ListedDevice device : devices) {
                if (wanted.name().isEmpty() || wanted.name().equals(device.name())) {
                    try {
                        return open(library, device, wanted, options);
                    } catch (RdmaException e) {
                        reasons.add(e);
                    }
                }
            }
            throw switch (reasons.size()) {
                case 0 -> none(wanted, devices);
                case 1 -> reasons.getFirst();
                default -> new RdmaException(RdmaError.UNSUPPORTED, "none of the RDMA devices can be used; "
                        + reasons.stream().map(Throwable::getMessage).collect(Collectors.joining("; ")), reasons.getFirst());
            };
        } finally {
            library.freeDevices();
        }
    }

    private static List<VerbsLibrary.ListedDevice> list(VerbsLibrary library) {
        try {
            return library.listDevices();
        } catch (NativeFailure e) {
            throw new RdmaException(RdmaError.UNSUPPORTED, NO_RDMA + (e.errno() == NativeFailure.ENOSYS
                    ? "the kernel has no RDMA support, or its module ib_uverbs is not loaded; try 'modprobe ib_uverbs'"
                    : e.getMessage()) + ", or use the provider 'soft'");
        }
    }

    private static RdmaException none(DeviceName wanted, List<VerbsLibrary.ListedDevice> devices) {
        return new RdmaException(RdmaError.UNSUPPORTED, devices.isEmpty()
                ? NO_RDMA + "there is no RDMA device; load the driver of your adapter, or make a software one with "
                        + "'rdma link add rxe0 type rxe netdev IFACE', or use the provider 'soft'"
                : "no RDMA device is called '" + wanted.name() + "'; there is "
                        + devices.stream().map(VerbsLibrary.ListedDevice::name).toList());
    }

    private static OpenedContext open(VerbsLibrary library, VerbsLibrary.ListedDevice device, DeviceName wanted,
            DeviceOptions options) {
        long context;
        try {
            context = library.openDevice(device.pointer());
        } catch (NativeFailure e) {
            throw e.toRdmaException("opening RDMA device " + device.name());
        }
        boolean opened = false;
        try (Scratch scratch = new Scratch()) {
            boolean x86 = System.getProperty("os.arch").equals("amd64");
            int inline = SelfCheck.run(library, context, device.pointer(), device.name(), x86);
            long info = scratch.allocate(Abi.DeviceInfo.BYTES);
            library.queryDevice(context, info);
            if (wanted.name().isEmpty()) {
                demandAtomics(info, device.name());
            }
            boolean isRxe = RawMemory.getInt(info + Abi.DeviceInfo.VENDOR) == Abi.DeviceInfo.VENDOR_RXE;
            String critical = library.allowsCritical() ? System.getProperty(CRITICAL, "poll") : "none";
            var operations = new ContextOperations(context, critical.equals("all") && !isRxe, !critical.equals("none"));
            VerbsPort port = VerbsPort.choose(library, context, device.name(), wanted,
                    RawMemory.getByte(info + Abi.DeviceInfo.PORTS), address(options.host()));
            DeviceAttributes attributes = attributes(device.name(), info, port, inline, 
                    options.maxWindows() == 0 ? Set.of() : windowTypes(info, operations), options);
            opened = true;
            return new OpenedContext(context, operations, port, attributes, Math.max(1, number(info, Abi.DeviceInfo.MAX_SCATTERS)),
                    isRxe);
        } catch (NativeFailure e) {
            throw e.toRdmaException("opening RDMA device " + device.name());
        } finally {
            if (!opened) {
                library.closeDevice(context);
            }
        }
    }

    /// Who names no device gets one on which all works.
    private static void demandAtomics(long info, String name) {
        if (RawMemory.getInt(info + Abi.DeviceInfo.ATOMICS) == Abi.DeviceInfo.NO_ATOMICS) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "RDMA device " + name + " has no atomic operations, as those that speak "
                    + "iWARP; name another one, or this one to use it all the same, by DeviceOptions.withDevice");
        }
    }

    /// The bytes of a numeric address; a name is not looked up.
    private static byte[] address(String host) {
        try {
            return InetAddress.ofLiteral(host).getAddress();
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    private static Set<MemoryWindowType> windowTypes(long info, ContextOperations operations) {
        Set<MemoryWindowType> types = EnumSet.noneOf(MemoryWindowType.class);
        int capabilities = RawMemory.getInt(info + Abi.DeviceInfo.CAPABILITIES);
        if (operations.hasWindows() && RawMemory.getInt(info + Abi.DeviceInfo.MAX_WINDOWS) > 0) {
            if ((capabilities & Abi.DeviceInfo.HAS_TYPE_1) != 0 && operations.bindsType1()) {
                types.add(MemoryWindowType.TYPE_1);
            }
            if ((capabilities & Abi.DeviceInfo.HAS_TYPE_2B) != 0) {
                types.add(MemoryWindowType.TYPE_2B);
            }
        }
        return types;
    }

    private static DeviceAttributes attributes(String name, long info, VerbsPort port, int inline, Set<MemoryWindowType> types,
            DeviceOptions options) {
        return new DeviceAttributes(VerbsProvider.NAME, name, types, false,
                Math.min(options.maxQueuePairs(), number(info, Abi.DeviceInfo.MAX_PAIRS)),
                Math.min(COMPLETION_QUEUES_MAX, number(info, Abi.DeviceInfo.MAX_QUEUES)),
                number(info, Abi.DeviceInfo.MAX_QUEUE_ENTRIES), number(info, Abi.DeviceInfo.MAX_REGIONS),
                Math.min(options.maxWindows(), number(info, Abi.DeviceInfo.MAX_WINDOWS)),
                Math.min(WORK_REQUESTS_MAX, number(info, Abi.DeviceInfo.MAX_REQUESTS) - 1),
                Math.min(255, number(info, Abi.DeviceInfo.MAX_READ_ATOMIC)), inline,
                (int) Math.min(port.maxMessageBytes(), 1 << 30), Connections.PRIVATE_DATA_MAX,
                WINDOW_BYTES_MAX);
    }

    private static int number(long info, int offset) {
        return Math.max(0, RawMemory.getInt(info + offset));
    }

    /// What the system says of it, for messages.
    static String lockedMemoryLimit() {
        try {
            return Files.readAllLines(Path.of("/proc/self/limits")).stream().filter(line -> line.startsWith("Max locked memory"))
                    .map(line -> line.substring("Max locked memory".length()).strip().split("\\s+")[0]).findFirst()
                    .map(limit -> limit.equals("unlimited") ? limit : limit + " bytes").orElse("unknown");
        } catch (IOException e) {
            return "unknown";
        }
    }
}
