package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.PostStatus;
import org.jspecify.annotations.Nullable;

/// Native `ibv_send_wr`s that are posted together; what the work queues need to know of them.
sealed interface RequestChain permits VerbsSendBatch, SendChain {
    /// What is wrong with a request, or [PostStatus#POSTED].
    PostStatus verdict();

    /// How many requests there are.
    int size();

    /// `ibv_send_wr *`.
    long request(int i);

    /// Which request lies at that address.
    int indexOf(long address);

    /// Where the native call stores the first request that was not posted.
    long badRequest();

    /// Whether there is a bind among the requests.
    boolean hasBinds();

    /// The structure for the bind of a type 1 window.
    long bind();

    /// The window that request `i` binds.
    @Nullable VerbsMemoryWindow window(int i);

    /// The region that request `i` binds a window to.
    @Nullable VerbsMemoryRegion region(int i);

    /// What must stay reachable while its memory is used.
    Object keepAlive();
}
