/// Verbs in Java: devices, protection domains, memory regions and windows, queue pairs and completion queues, in the words of the
/// InfiniBand specification and libibverbs, over interchangeable providers.
///
/// Start at [io.leasehold.rdma.RdmaDevice]. The control path throws [io.leasehold.rdma.RdmaException]; the data path answers with
/// [io.leasehold.rdma.PostStatus] when a request is posted and [io.leasehold.rdma.WorkCompletion] when it has ended, and allocates
/// nothing.
package io.leasehold.rdma;
