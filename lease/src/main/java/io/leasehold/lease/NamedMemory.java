package io.leasehold.lease;

/// Memory that stays until it is freed by its name, and that any session can open.
///
/// @param name its name at the node
/// @param address first byte, aligned to 64
/// @param lengthBytes length in bytes, as asked for
/// @param created whether this call created it, zeroed; `false` if it was there before
public record NamedMemory(String name, RemoteAddress address, long lengthBytes, boolean created) {
}
