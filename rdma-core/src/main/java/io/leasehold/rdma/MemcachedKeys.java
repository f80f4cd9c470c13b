package io.leasehold.rdma;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// The keys of one cluster: `leasehold/<cluster id>/<kind>/<name>`, which memcached wants within 250 bytes and without blanks or
/// control characters.
///
/// Other bytes than letters, digits and `-._:/` are written as `%` and two hexadecimal digits, so that different names have
/// different keys; a cluster id may not contribute a `/`. A key that gets too long becomes `leasehold/#` and the SHA-256 of
/// what it was.
///
/// @param clusterId the cluster
record MemcachedKeys(String clusterId) {
    static final int KEY_MAX_BYTES = 250;

    private static final String ROOT = "leasehold/";

    /// The key of `name` among the things of one kind.
    String key(String kind, String name) {
        String key = ROOT + escaped(clusterId).replace("/", "%2f") + '/' + kind + '/' + escaped(name);
        return key.length() <= KEY_MAX_BYTES ? key : ROOT + '#' + sha256(key);
    }

    private static String escaped(String text) {
        StringBuilder escaped = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "-._:/".indexOf(c) >= 0) {
                escaped.append(c);
            } else {
                escaped.append('%').append(HexFormat.of().toHexDigits(b));
            }
        }
        return escaped.toString();
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
