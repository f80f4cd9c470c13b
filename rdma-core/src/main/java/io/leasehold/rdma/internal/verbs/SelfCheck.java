package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;

/// Makes one of each object of a freshly opened device and compares what the library fills in with what it was given: a structure
/// laid out otherwise than [Abi] says is found before anything is stored at a wrong place.
final class SelfCheck {
    private static final int[] INLINE_TRIED = {1024, 512, 256, 128, 64, 0};
    private static final int ENTRIES = 8;
    private static final int MEMORY_BYTES = 4096;

    private final VerbsLibrary library;
    private final long context;
    private final String name;

    private SelfCheck(VerbsLibrary library, long context, String name) {
        this.library = library;
        this.context = context;
        this.name = name;
    }

    /// Checks a device.
    ///
    /// @return the most inline bytes that a queue pair can have
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] if a layout is not as expected, or what the failed call says
    static int run(VerbsLibrary library, long context, long device, String name, boolean knowsCompat) {
        var check = new SelfCheck(library, context, name);
        check.same("ibv_context.device", RawMemory.getLong(context + Abi.Context.DEVICE), device);
        if (knowsCompat) {
            check.same("ibv_context.abi_compat", RawMemory.getLong(context + Abi.Context.ABI_COMPAT), -1);
        }
        check.demand("ibv_context.cmd_fd", RawMemory.getInt(context + Abi.Context.COMMAND_FD) >= 0);
        check.demand("ibv_context.async_fd", RawMemory.getInt(context + Abi.Context.ASYNC_FD) >= 0);
        check.demand("ibv_context.num_comp_vectors", RawMemory.getInt(context + Abi.Context.COMPLETION_VECTORS) > 0);
        check.demand("ibv_context.ops", new ContextOperations(context, false, false).isComplete());
        return check.objects();
    }

    private int objects() {
        long domain = make("a protection domain", () -> library.allocPd(context));
        try {
            same("ibv_pd.context", RawMemory.getLong(domain + Abi.Handle.CONTEXT), context);
            region(domain);
            return queues(domain);
        } finally {
            library.deallocPd(domain);
        }
    }

    private void region(long domain) {
        try (Scratch scratch = new Scratch()) {
            long memory = scratch.allocate(MEMORY_BYTES);
            long region = make("a memory region of " + MEMORY_BYTES + " bytes",
                    () -> library.regMr(domain, memory, MEMORY_BYTES, 1));
            try {
                same("ibv_mr.context", RawMemory.getLong(region + Abi.Handle.CONTEXT), context);
                same("ibv_mr.pd", RawMemory.getLong(region + Abi.Handle.REGION_DOMAIN), domain);
                same("ibv_mr.addr", RawMemory.getLong(region + Abi.Handle.REGION_ADDRESS), memory);
                same("ibv_mr.length", RawMemory.getLong(region + Abi.Handle.REGION_LENGTH), MEMORY_BYTES);
            } finally {
                library.deregMr(region);
            }
        }
    }

    private int queues(long domain) {
        long channel = make("a completion channel", () -> library.createCompChannel(context));
        try {
            demand("ibv_comp_channel.fd", RawMemory.getInt(channel + Abi.Handle.CHANNEL_FD) >= 0);
            long queue = make("a completion queue", () -> library.createCq(context, ENTRIES, ENTRIES, channel));
            try {
                same("ibv_cq.context", RawMemory.getLong(queue + Abi.Handle.CONTEXT), context);
                same("ibv_cq.channel", RawMemory.getLong(queue + Abi.Handle.QUEUE_CHANNEL), channel);
                same("ibv_cq.cq_context", RawMemory.getLong(queue + Abi.Handle.QUEUE_CONTEXT), ENTRIES);
                demand("ibv_cq.cqe", RawMemory.getInt(queue + Abi.Handle.QUEUE_ENTRIES) >= ENTRIES);
                return pair(domain, queue);
            } finally {
                library.destroyCq(queue);
            }
        } finally {
            library.destroyCompChannel(channel);
        }
    }

    private int pair(long domain, long queue) {
        for (int inline : INLINE_TRIED) {
            try (Scratch scratch = new Scratch()) {
                long wanted = pairInit(scratch, queue, queue, 1, 1, inline);
                long pair;
                try {
                    pair = library.createQp(domain, wanted);
                } catch (NativeFailure e) {
                    if (inline > 0) {
                        continue;
                    }
                    throw e.toRdmaException("opening RDMA device " + name + ": making a queue pair");
                }
                try {
                    same("ibv_qp.context", RawMemory.getLong(pair + Abi.Handle.CONTEXT), context);
                    same("ibv_qp.pd", RawMemory.getLong(pair + Abi.Handle.PAIR_DOMAIN), domain);
                    same("ibv_qp.send_cq", RawMemory.getLong(pair + Abi.Handle.PAIR_SEND_QUEUE), queue);
                    same("ibv_qp.recv_cq", RawMemory.getLong(pair + Abi.Handle.PAIR_RECEIVE_QUEUE), queue);
                    same("ibv_qp.qp_type", RawMemory.getInt(pair + Abi.Handle.PAIR_TYPE), Abi.PairInit.TYPE_RC);
                    demand("ibv_qp.qp_num", RawMemory.getInt(pair + Abi.Handle.PAIR_NUMBER) >>> 24 == 0);
                    return inline;
                } finally {
                    library.destroyQp(pair);
                }
            }
        }
        throw new IllegalStateException("a queue pair without inline data is tried last");
    }

    /// An `ibv_qp_init_attr`.
    static long pairInit(Scratch scratch, long sendQueue, long receiveQueue, int sends, int receives, int inline) {
        return pairInit(scratch, sendQueue, receiveQueue, sends, receives, inline, 1, 1);
    }

    /// An `ibv_qp_init_attr` for requests and receives with several local ranges each.
    static long pairInit(Scratch scratch, long sendQueue, long receiveQueue, int sends, int receives, int inline,
            int sendScatters, int receiveScatters) {
        long init = scratch.allocate(Abi.PairInit.BYTES);
        RawMemory.putLong(init + Abi.PairInit.SEND_QUEUE, sendQueue);
        RawMemory.putLong(init + Abi.PairInit.RECEIVE_QUEUE, receiveQueue);
        RawMemory.putInt(init + Abi.PairInit.MAX_SEND_REQUESTS, sends);
        RawMemory.putInt(init + Abi.PairInit.MAX_RECEIVE_REQUESTS, receives);
        RawMemory.putInt(init + Abi.PairInit.MAX_SEND_SCATTERS, sendScatters);
        RawMemory.putInt(init + Abi.PairInit.MAX_RECEIVE_SCATTERS, receiveScatters);
        RawMemory.putInt(init + Abi.PairInit.MAX_INLINE, inline);
        RawMemory.putInt(init + Abi.PairInit.TYPE, Abi.PairInit.TYPE_RC);
        return init;
    }

    private long make(String what, java.util.function.LongSupplier call) {
        try {
            return call.getAsLong();
        } catch (NativeFailure e) {
            throw e.toRdmaException("opening RDMA device " + name + ": making " + what);
        }
    }

    private void same(String field, long found, long expected) {
        demand(field, found == expected);
    }

    private void demand(String field, boolean good) {
        if (!good) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "opening RDMA device " + name + ": " + field
                    + " is not where it was expected; this libibverbs is laid out in another way: use rdma-core 44 to 65");
        }
    }
}
