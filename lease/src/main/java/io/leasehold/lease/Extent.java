package io.leasehold.lease;

/// A contiguous piece of a heap that was handed to one session to cut blocks from.
///
/// @param address first byte, aligned to 64
/// @param lengthBytes length, a multiple of 64
public record Extent(RemoteAddress address, long lengthBytes) {
}
