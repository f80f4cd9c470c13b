package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;

/// A function of libibverbs or the C library failed.
final class NativeFailure extends RuntimeException {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int EAGAIN = 11;
    static final int ENOMEM = 12;
    static final int EACCES = 13;
    static final int EBUSY = 16;
    static final int ENODEV = 19;
    static final int EINVAL = 22;
    static final int EMFILE = 24;
    static final int ENOSYS = 38;
    static final int EIO = 5;
    static final int EOPNOTSUPP = 95;
    static final int EADDRINUSE = 98;
    static final int EADDRNOTAVAIL = 99;
    static final int ENETUNREACH = 101;
    static final int ETIMEDOUT = 110;
    static final int ECONNREFUSED = 111;
    static final int EHOSTUNREACH = 113;

    private static final long serialVersionUID = 1;

    private final int errno;

    NativeFailure(String function, int errno) {
        super(function + ": " + name(errno));
        this.errno = errno;
    }

    int errno() {
        return errno;
    }

    /// The exception for who called us.
    ///
    /// @param what what was tried, as `registering 4096 bytes on rxe0`
    RdmaException toRdmaException(String what) {
        return new RdmaException(error(errno), what + ": " + getMessage() + remedy(errno), this);
    }

    /// Whether it is the device that failed, and not what was asked of it.
    static boolean isOfDevice(int errno) {
        return errno == EIO || errno == ENODEV;
    }

    static RdmaError error(int errno) {
        return switch (errno) {
            case ENOMEM, EMFILE, EAGAIN -> RdmaError.OUT_OF_RESOURCES;
            case EBUSY, EADDRINUSE -> RdmaError.BUSY;
            case EINVAL, EADDRNOTAVAIL -> RdmaError.INVALID_ARGUMENT;
            case ECONNREFUSED -> RdmaError.REJECTED;
            // What the system says when it cannot find out where the peer's address leads.
            case ENETUNREACH, ETIMEDOUT, EHOSTUNREACH -> RdmaError.UNREACHABLE;
            default -> RdmaError.UNSUPPORTED;
        };
    }

    private static String remedy(int errno) {
        return switch (errno) {
            case EPERM, EACCES -> "; this user may not use RDMA devices: give it read and write permission on /dev/infiniband/*";
            case ENOMEM -> "; the device or the locked-memory limit is exhausted: try 'ulimit -l unlimited'";
            case EMFILE -> "; too many open files: raise 'ulimit -n'";
            case ENETUNREACH, ETIMEDOUT, EHOSTUNREACH -> "; the peer's GID leads nowhere from here: both devices must be on one "
                    + "network, choose the GID by DeviceOptions.withDevice(\"device/port/index\")";
            case EIO -> "; the device failed, or was removed";
            case ENODEV, ENOSYS -> "; this kernel has no RDMA support: load ib_uverbs and the driver of the device";
            default -> "";
        };
    }

    static String name(int errno) {
        return switch (errno) {
            case EPERM -> "EPERM";
            case ENOENT -> "ENOENT";
            case EAGAIN -> "EAGAIN";
            case ENOMEM -> "ENOMEM";
            case EACCES -> "EACCES";
            case EBUSY -> "EBUSY";
            case ENODEV -> "ENODEV";
            case EINVAL -> "EINVAL";
            case EMFILE -> "EMFILE";
            case ENOSYS -> "ENOSYS";
            case EOPNOTSUPP -> "EOPNOTSUPP";
            case EIO -> "EIO";
            case EADDRINUSE -> "EADDRINUSE";
            case EADDRNOTAVAIL -> "EADDRNOTAVAIL";
            case ENETUNREACH -> "ENETUNREACH";
            case ETIMEDOUT -> "ETIMEDOUT";
            case ECONNREFUSED -> "ECONNREFUSED";
            case EHOSTUNREACH -> "EHOSTUNREACH";
            default -> "errno " + errno;
        };
    }
}
