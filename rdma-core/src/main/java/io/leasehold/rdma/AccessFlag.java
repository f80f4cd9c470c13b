package io.leasehold.rdma;

import java.util.EnumSet;
import java.util.Set;

/// A right that a memory region or a memory window gives, with the bit that libibverbs gives it.
///
/// Hot paths pass rights as a bit mask, see [#mask(AccessFlag...)].
public enum AccessFlag {
    /// The local device may write: needed for receive buffers and as the base of every remote write or atomic right.
    LOCAL_WRITE(1),
    /// A remote peer may RDMA WRITE.
    REMOTE_WRITE(2),
    /// A remote peer may RDMA READ.
    REMOTE_READ(4),
    /// A remote peer may compare-and-swap and fetch-and-add.
    REMOTE_ATOMIC(8),
    /// Memory windows may be bound to the region.
    MW_BIND(16);

    private final int bit;

    AccessFlag(int bit) {
        this.bit = bit;
    }

    /// The bit of this flag, as in `enum ibv_access_flags`.
    public int bit() {
        return bit;
    }

    /// Whether `mask` holds this flag.
    public boolean in(int mask) {
        return (mask & bit) != 0;
    }

    /// The bit mask of `flags`.
    public static int mask(AccessFlag... flags) {
        int mask = 0;
        for (AccessFlag flag : flags) {
            mask |= flag.bit;
        }
        return mask;
    }

    /// The flags whose bits are set in `mask`.
    ///
    /// @throws IllegalArgumentException if `mask` has a bit that is no flag
    public static Set<AccessFlag> of(int mask) {
        EnumSet<AccessFlag> flags = EnumSet.noneOf(AccessFlag.class);
        int rest = mask;
        for (AccessFlag flag : values()) {
            if (flag.in(mask)) {
                flags.add(flag);
                rest &= ~flag.bit;
            }
        }
        if (rest != 0) {
            throw new IllegalArgumentException("unknown access bits 0x" + Integer.toHexString(rest));
        }
        return flags;
    }
}
