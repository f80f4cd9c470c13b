package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Opens memory by memory regions: each opening is one of its own, with exactly its range and rights. The data queue pairs of a
/// session, and its regions, are in a protection domain of the session's own, so its keys open nothing to another.
///
/// For devices that have no memory windows of type 2B, or that do not enforce their bounds. The bounds of a region are enforced
/// wherever there is RDMA at all; what it costs is system calls on the control thread.
final class RegionBacking implements Backing {
    /// A session's key is not used again for it before so many others of its keys have died. Windows choose their keys; those of
    /// regions the device chooses, and may give the last one again.
    static final int SPENT_KEYS_MAX = 16;

    private static final System.Logger LOG = System.getLogger(RegionBacking.class.getName());

    private final RdmaDevice device;
    private final MemorySegment memory;
    private final Map<NodeSession, Ground> grounds = new HashMap<>();
    private final Set<Registration> openings = new HashSet<>();

    /// What a session has to itself.
    private static final class Ground {
        private final DataDomain domain;
        // The keys that died last, oldest first.
        private final ArrayDeque<Integer> spentKeys = new ArrayDeque<>();
        private @Nullable Registration allMemory;

        private Ground(DataDomain domain) {
            this.domain = domain;
        }

        void spend(int key) {
            spentKeys.remove(key);
            spentKeys.addLast(key);
            if (spentKeys.size() > SPENT_KEYS_MAX) {
                spentKeys.removeFirst();
            }
        }
    }

    /// @param memory all memory
    RegionBacking(RdmaDevice device, MemorySegment memory) {
        this.device = device;
        this.memory = memory;
    }

    /// A region, and how it is made.
    final class Registration implements Opening {
        private final Ground ground;
        private final MemorySegment range;
        private final Set<AccessFlag> access;
        // Those that could not be deregistered yet, and the good one as the last.
        private final List<MemoryRegion> regions = new ArrayList<>(1);
        private boolean open;
        private @Nullable Failed refusal;

        private Registration(Ground ground, MemorySegment range, int access) {
            this.ground = ground;
            this.range = range;
            // What a peer may write the device must, too; of itself it gives the peer nothing.
            this.access = AccessFlag.of(access | AccessFlag.LOCAL_WRITE.bit());
            openings.add(this);
        }

        @Override
        public int key() {
            return regions.getLast().remoteKey();
        }

        @Override
        public void open() {
            try {
                register();
                open = true;
                deregister(regions.subList(0, regions.size() - 1));
            } catch (RdmaException e) {
                boolean exhausted = e.error() == RdmaError.OUT_OF_RESOURCES;
                refusal = new Failed(exhausted ? Reason.OUT_OF_WINDOWS : Reason.UNAVAILABLE,
                        ControlCodec.detail("the node cannot register a memory region of " + range.byteSize() + " bytes: "
                                + e.getMessage()));
                deregister(regions);
            }
        }

        /// A region with a spent key is kept until there is a better one, so that the device must give another key.
        private void register() {
            do {
                if (regions.size() > SPENT_KEYS_MAX) {
                    throw new RdmaException(RdmaError.INVALID_STATE, "the device gives the keys of regions that are gone to "
                            + regions.size() + " new ones in a row");
                }
                regions.add(ground.domain.make(domain -> domain.register(range, access)));
            } while (ground.spentKeys.contains(key()));
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public @Nullable Failed refusal() {
            return refusal;
        }

        @Override
        public void close() {
            deregister(regions);
            open &= !regions.isEmpty();
        }

        @Override
        public boolean release() {
            close();
            if (!regions.isEmpty()) {
                return false;
            }
            openings.remove(this);
            return true;
        }

        /// Takes out of `ended` what can be deregistered.
        private void deregister(List<MemoryRegion> ended) {
            ended.removeIf(region -> {
                try {
                    region.close();
                } catch (RdmaException e) {
                    LOG.log(System.Logger.Level.DEBUG, "a region was not deregistered", e);
                    return false;
                }
                ground.spend(region.remoteKey());
                ground.domain.gone();
                return true;
            });
        }
    }

    @Override
    public LeaseBacking kind() {
        return LeaseBacking.REGION;
    }

    @Override
    public void enter(NodeSession session) {
        grounds.put(session, new Ground(new DataDomain(device.allocateProtectionDomain())));
    }

    @Override
    public boolean leave(NodeSession session) {
        Ground ground = ground(session);
        if (ground.allMemory != null && !ground.allMemory.release()) {
            return false;
        }
        grounds.remove(session);
        ground.domain.leave();
        return true;
    }

    private Ground ground(NodeSession session) {
        return Objects.requireNonNull(grounds.get(session));
    }

    @Override
    public DataDomain domain(NodeSession session) {
        return ground(session).domain;
    }

    @Override
    public Opening take(NodeSession session, LeaseTerms terms) {
        return new Registration(ground(session), memory.asSlice(terms.offset(), terms.lengthBytes()), terms.access());
    }

    @Override
    public Opening takeRow(NodeSession session) {
        return new Registration(ground(session), session.row.memory(), AccessFlag.REMOTE_ATOMIC.bit());
    }

    @Override
    public void run() {
        // Openings are registered and deregistered as they are told.
    }

    @Override
    public int inUse() {
        return openings.size();
    }

    @Override
    public int unprotectedKey(NodeSession session) throws RefusedException {
        Ground ground = ground(session);
        if (ground.allMemory == null) {
            Registration all = new Registration(ground, memory, AccessRight.mask(Set.of(AccessRight.values())));
            ground.allMemory = all;
            all.open();
        }
        Registration opened = ground.allMemory;
        Failed refusal = opened.refusal();
        if (refusal != null) {
            if (opened.release()) {
                ground.allMemory = null;
            }
            throw new RefusedException(refusal.reason(), refusal.detail());
        }
        return opened.key();
    }

    @Override
    public void close() {
        List.copyOf(openings).forEach(Opening::release);
        if (!openings.isEmpty()) {
            throw new RdmaException(RdmaError.BUSY, openings.size() + " memory regions of leases could not be deregistered; the "
                    + "node's memory is not freed");
        }
    }
}
