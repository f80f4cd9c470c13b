package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// The data path: what `verbs.h` calls by the function pointers of an `ibv_context`, which never change while it is open.
///
/// A *critical* call costs half as much since the thread stays in the Java state; but the JVM cannot stop for garbage collection
/// while it runs, so it is only for functions that make no system call. Calls allocate nothing.
final class ContextOperations {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final FunctionDescriptor THREE =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor POLL =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor NUMBER =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
    private static final FunctionDescriptor ONE = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor ALLOCATE =
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
    private static final MethodHandle POST = handle(THREE);
    private static final MethodHandle POST_CRITICAL = handle(THREE, Linker.Option.critical(false));
    private static final MethodHandle POLL_CQ = handle(POLL);
    private static final MethodHandle POLL_CQ_CRITICAL = handle(POLL, Linker.Option.critical(false));
    private static final MethodHandle REQ_NOTIFY_CQ = handle(NUMBER);
    private static final MethodHandle ALLOC_MW = handle(ALLOCATE);
    private static final MethodHandle DEALLOC_MW = handle(ONE);

    private final boolean criticalPost;
    private final boolean criticalPoll;
    private final MemorySegment postSend;
    private final MemorySegment postReceive;
    private final MemorySegment pollQueue;
    private final MemorySegment requestNotification;
    private final MemorySegment allocateWindow;
    private final MemorySegment freeWindow;
    private final MemorySegment bindWindow;

    ContextOperations(long context, boolean criticalPost, boolean criticalPoll) {
        this.criticalPost = criticalPost;
        this.criticalPoll = criticalPoll;
        postSend = function(context, Abi.Context.POST_SEND);
        postReceive = function(context, Abi.Context.POST_RECV);
        pollQueue = function(context, Abi.Context.POLL_CQ);
        requestNotification = function(context, Abi.Context.REQ_NOTIFY_CQ);
        allocateWindow = function(context, Abi.Context.ALLOC_MW);
        freeWindow = function(context, Abi.Context.DEALLOC_MW);
        bindWindow = function(context, Abi.Context.BIND_MW);
    }

    private static MemorySegment function(long context, int offset) {
        return MemorySegment.ofAddress(RawMemory.getLong(context + offset));
    }

    // Calling C is the purpose of this package.
    @SuppressWarnings("restricted")
    private static MethodHandle handle(FunctionDescriptor descriptor, Linker.Option... options) {
        return LINKER.downcallHandle(descriptor, options);
    }

    /// Whether the device's provider has all that windows need.
    boolean hasWindows() {
        return allocateWindow.address() != 0 && freeWindow.address() != 0;
    }

    /// Whether it has what windows of type 1 need.
    boolean bindsType1() {
        return bindWindow.address() != 0;
    }

    /// Whether it has all that it must have.
    boolean isComplete() {
        return postSend.address() != 0 && postReceive.address() != 0 && pollQueue.address() != 0
                && requestNotification.address() != 0;
    }

    /// `ibv_post_send`. Answers 0 or an error number; then `bad` holds the first request that was not posted.
    int postSend(long queuePair, long request, long bad) {
        try {
            return criticalPost ? (int) POST_CRITICAL.invokeExact(postSend, queuePair, request, bad)
                    : (int) POST.invokeExact(postSend, queuePair, request, bad);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_post_recv`, likewise.
    int postReceive(long queuePair, long request, long bad) {
        try {
            return criticalPost ? (int) POST_CRITICAL.invokeExact(postReceive, queuePair, request, bad)
                    : (int) POST.invokeExact(postReceive, queuePair, request, bad);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_poll_cq`. Answers how many of `most` completions were filled in, negative for an error.
    int poll(long queue, int most, long completions) {
        try {
            return criticalPoll ? (int) POLL_CQ_CRITICAL.invokeExact(pollQueue, queue, most, completions)
                    : (int) POLL_CQ.invokeExact(pollQueue, queue, most, completions);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_req_notify_cq`, for any completion or only for one that a peer solicited. Answers 0 or an error number.
    int requestNotification(long queue, boolean solicitedOnly) {
        try {
            return (int) REQ_NOTIFY_CQ.invokeExact(requestNotification, queue, solicitedOnly ? 1 : 0);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_alloc_mw`. Answers null if it fails: there is no room.
    long allocateWindow(long domain, int type) {
        try {
            return (long) ALLOC_MW.invokeExact(allocateWindow, domain, type);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_dealloc_mw`. Answers 0 or an error number.
    int freeWindow(long window) {
        try {
            return (int) DEALLOC_MW.invokeExact(freeWindow, window);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `ibv_bind_mw`, for windows of type 1. Answers 0 or an error number; the library stores the new key in the window.
    int bindWindow(long queuePair, long window, long bind) {
        try {
            return (int) POST.invokeExact(bindWindow, queuePair, window, bind);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static RuntimeException unexpected(Throwable thrown) {
        if (thrown instanceof RuntimeException e) {
            return e;
        }
        if (thrown instanceof Error e) {
            throw e;
        }
        return new IllegalStateException("a call of libibverbs", thrown);
    }
}
