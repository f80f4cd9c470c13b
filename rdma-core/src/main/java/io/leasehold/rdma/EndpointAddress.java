package io.leasehold.rdma;

import java.util.Locale;

/// Where a device listens for connections; what nodes publish and clients connect to.
///
/// Text form: `provider:host:port/device`, for example `soft:10.0.0.1:7471/5f3c9a2b11d04e88`. The device part lets a client that
/// lives in the same JVM find the device without the network; it may be absent (`soft:10.0.0.1:7471`) when a person types the address.
///
/// @param provider name of the provider, as `soft`
/// @param host host name or IP address, IPv6 in brackets
/// @param port port, 0 if the device listens in its own JVM only
/// @param device identity of the device, 0 if unknown
public record EndpointAddress(String provider, String host, int port, long device) {
    /// Checks the parts.
    public EndpointAddress {
        if (provider.isEmpty() || provider.indexOf(':') >= 0) {
            throw new IllegalArgumentException("provider '" + provider + "' is empty or has a colon");
        }
        if (host.isEmpty() || host.indexOf('/') >= 0) {
            throw new IllegalArgumentException("host '" + host + "' is empty or has a slash");
        }
        if (port < 0 || port > 65_535) {
            throw new IllegalArgumentException("port " + port + " is outside 0 to 65535");
        }
    }

    /// Reads the text form.
    ///
    /// @throws IllegalArgumentException naming the text and the form expected
    public static EndpointAddress parse(String text) {
        int colon = text.indexOf(':');
        int slash = text.lastIndexOf('/');
        int end = slash < 0 ? text.length() : slash;
        int portColon = text.lastIndexOf(':', end - 1);
        if (colon <= 0 || portColon <= colon) {
            throw malformed(text, null);
        }
        try {
            return new EndpointAddress(text.substring(0, colon), text.substring(colon + 1, portColon),
                    Integer.parseInt(text.substring(portColon + 1, end)),
                    slash < 0 ? 0 : Long.parseUnsignedLong(text.substring(slash + 1), 16));
        } catch (IllegalArgumentException e) {
            throw malformed(text, e);
        }
    }

    private static IllegalArgumentException malformed(String text,
            @org.jspecify.annotations.Nullable IllegalArgumentException cause) {
        return new IllegalArgumentException(
                "'" + text + "' is no endpoint address; expected provider:host:port/device, as soft:10.0.0.1:7471", cause);
    }

    @Override
    public String toString() {
        String address = provider + ':' + host + ':' + port;
        return device == 0 ? address : address + '/' + String.format(Locale.ROOT, "%016x", device);
    }
}
