package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Which device is meant: `name`, `name/port` or `name/port/gidIndex`, or nothing at all for the first that can be used.
///
/// @param name the name, empty for any
/// @param port the port, 0 for any
/// @param gidIndex the place in the GID table, -1 for the best
record DeviceName(String name, int port, int gidIndex) {
    private static final Pattern FORM = Pattern.compile("([^/]*)(?:/(\\d{1,3}))?(?:/(\\d{1,5}))?");

    static DeviceName parse(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "'" + text + "' names no RDMA device; expected name, name/port or name/port/gidIndex, as rxe0/1/1");
        }
        return new DeviceName(matcher.group(1), matcher.group(2) == null ? 0 : Integer.parseInt(matcher.group(2)),
                matcher.group(3) == null ? -1 : Integer.parseInt(matcher.group(3)));
    }
}
