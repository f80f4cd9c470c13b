package io.leasehold.rdma.internal.verbs;

/// Where the fields of libibverbs' structures lie, in bytes, and the numbers of its enumerations: x86-64 and aarch64, rdma-core 44
/// and later.
///
/// The two architectures differ behind a mutex only, whose size differs (40 and 48 bytes); nothing used here lies behind one,
/// except [Context#ABI_COMPAT], which is only compared on x86-64. `AbiTest` compiles the same table with the C compiler where the
/// headers are installed, and `SelfCheck` compares what the library fills in when a device is opened.
final class Abi {
    private Abi() {
    }

    /// `struct ibv_send_wr`.
    ///
    /// ```
    ///   0 wr_id          8 next          16 sg_list       24 num_sge | 28 opcode
    ///  32 send_flags | 36 imm_data, invalidate_rkey
    ///  40 remote_addr   48 rkey          (rdma)
    ///  40 remote_addr   48 compare_add   56 swap          64 rkey            (atomic)
    ///  80 bind_mw.mw    88 bind_mw.rkey  96 mr  104 addr  112 length  120 mw_access_flags
    /// ```
    static final class SendRequest {
        static final int BYTES = 128;
        static final int ID = 0;
        static final int NEXT = 8;
        static final int SCATTER_LIST = 16;
        static final int SCATTER_COUNT = 24;
        static final int OPCODE = 28;
        static final int FLAGS = 32;
        static final int IMMEDIATE = 36;
        static final int REMOTE_ADDRESS = 40;
        static final int RDMA_KEY = 48;
        static final int COMPARE_ADD = 48;
        static final int SWAP = 56;
        static final int ATOMIC_KEY = 64;
        static final int BIND_WINDOW = 80;
        static final int BIND_KEY = 88;
        static final int BIND_REGION = 96;
        static final int BIND_ADDRESS = 104;
        static final int BIND_LENGTH = 112;
        static final int BIND_ACCESS = 120;

        private SendRequest() {
        }
    }

    /// `struct ibv_recv_wr`: wr_id 0, next 8, sg_list 16, num_sge 24.
    static final class ReceiveRequest {
        static final int BYTES = 32;
        static final int ID = 0;
        static final int NEXT = 8;
        static final int SCATTER_LIST = 16;
        static final int SCATTER_COUNT = 24;

        private ReceiveRequest() {
        }
    }

    /// `struct ibv_sge`: addr 0, length 8, lkey 12.
    static final class Scatter {
        static final int BYTES = 16;
        static final int ADDRESS = 0;
        static final int LENGTH = 8;
        static final int KEY = 12;

        private Scatter() {
        }
    }

    /// `struct ibv_wc`.
    static final class Completion {
        static final int BYTES = 48;
        static final int ID = 0;
        static final int STATUS = 8;
        static final int OPCODE = 12;
        static final int VENDOR_ERROR = 16;
        static final int BYTE_LENGTH = 20;
        static final int IMMEDIATE = 24;
        static final int QUEUE_PAIR_NUMBER = 28;
        static final int SOURCE_PAIR_NUMBER = 32;
        static final int FLAGS = 36;
        static final int PKEY_INDEX = 40;
        static final int SOURCE_LID = 42;
        static final int SERVICE_LEVEL = 44;
        static final int PATH_BITS = 45;

        static final int WITH_IMMEDIATE = 2;
        static final int WITH_INVALIDATE = 8;
        /// What rxe sets instead of [#WITH_INVALIDATE]: the kernel's bit.
        static final int WITH_INVALIDATE_OF_RXE = 4;
        /// The opcode of a receive that an RDMA WRITE with immediate data consumed.
        static final int RECEIVE_RDMA_WITH_IMMEDIATE = 129;

        private Completion() {
        }
    }

    /// `struct ibv_mw_bind`, for windows of type 1: wr_id 0, send_flags 8, then `struct ibv_mw_bind_info`.
    static final class Bind {
        static final int BYTES = 48;
        static final int ID = 0;
        static final int FLAGS = 8;
        static final int REGION = 16;
        static final int ADDRESS = 24;
        static final int LENGTH = 32;
        static final int ACCESS = 40;

        private Bind() {
        }
    }

    /// `struct ibv_context`, whose member `ops` (at 8) holds the function pointers of the data path.
    static final class Context {
        static final int DEVICE = 0;
        static final int ALLOC_MW = 64;
        static final int BIND_MW = 72;
        static final int DEALLOC_MW = 80;
        static final int POLL_CQ = 96;
        static final int REQ_NOTIFY_CQ = 104;
        static final int POST_SEND = 208;
        static final int POST_RECV = 216;
        static final int COMMAND_FD = 264;
        static final int ASYNC_FD = 268;
        static final int COMPLETION_VECTORS = 272;
        static final int ABI_COMPAT = 320;
        static final int BYTES = 328;

        private Context() {
        }
    }

    /// `struct ibv_pd`, `ibv_mr`, `ibv_mw`, `ibv_cq`, `ibv_comp_channel` and `ibv_qp`: each begins with its context.
    static final class Handle {
        static final int CONTEXT = 0;
        static final int DOMAIN_NUMBER = 8;
        static final int REGION_DOMAIN = 8;
        static final int REGION_ADDRESS = 16;
        static final int REGION_LENGTH = 24;
        static final int REGION_NUMBER = 32;
        static final int REGION_LOCAL_KEY = 36;
        static final int REGION_REMOTE_KEY = 40;
        static final int WINDOW_DOMAIN = 8;
        static final int WINDOW_KEY = 16;
        static final int WINDOW_TYPE = 24;
        static final int QUEUE_CHANNEL = 8;
        static final int QUEUE_CONTEXT = 16;
        static final int QUEUE_ENTRIES = 28;
        static final int CHANNEL_FD = 8;
        static final int PAIR_DOMAIN = 16;
        static final int PAIR_SEND_QUEUE = 24;
        static final int PAIR_RECEIVE_QUEUE = 32;
        static final int PAIR_KERNEL_NUMBER = 48;
        static final int PAIR_NUMBER = 52;
        static final int PAIR_STATE = 56;
        static final int PAIR_TYPE = 60;

        private Handle() {
        }
    }

    /// `struct ibv_qp_init_attr`.
    static final class PairInit {
        static final int BYTES = 64;
        static final int SEND_QUEUE = 8;
        static final int RECEIVE_QUEUE = 16;
        static final int MAX_SEND_REQUESTS = 32;
        static final int MAX_RECEIVE_REQUESTS = 36;
        static final int MAX_SEND_SCATTERS = 40;
        static final int MAX_RECEIVE_SCATTERS = 44;
        static final int MAX_INLINE = 48;
        static final int TYPE = 52;
        static final int TYPE_RC = 2;

        private PairInit() {
        }
    }

    /// `struct ibv_qp_attr`, and the bits of `enum ibv_qp_attr_mask`.
    static final class PairAttributes {
        static final int BYTES = 144;
        static final int STATE = 0;
        static final int PATH_MTU = 8;
        static final int RECEIVE_PSN = 20;
        static final int SEND_PSN = 24;
        static final int PEER_NUMBER = 28;
        static final int ACCESS = 32;
        static final int PEER_GID = 56;
        static final int OWN_GID_INDEX = 76;
        static final int HOP_LIMIT = 77;
        static final int PEER_LID = 80;
        static final int IS_GLOBAL = 85;
        static final int ROUTE_PORT = 86;
        static final int PKEY_INDEX = 120;
        static final int MAX_READ_ATOMIC = 126;
        static final int MAX_PEER_READ_ATOMIC = 127;
        static final int RECEIVER_NOT_READY_TIMER = 128;
        static final int PORT = 129;
        static final int TIMEOUT = 130;
        static final int RETRIES = 131;
        static final int RECEIVER_NOT_READY_RETRIES = 132;

        static final int MASK_STATE = 1;
        static final int MASK_INIT = 1 | 8 | 16 | 32;
        static final int MASK_RTR = 1 | 128 | 256 | 4096 | 131_072 | 32_768 | 1_048_576;
        static final int MASK_RTS = 1 | 512 | 1024 | 2048 | 8192 | 65_536;

        private PairAttributes() {
        }
    }

    /// `struct ibv_device_attr`.
    static final class DeviceInfo {
        static final int BYTES = 232;
        static final int MAX_REGION_BYTES = 80;
        static final int VENDOR = 96;
        static final int MAX_PAIRS = 108;
        static final int MAX_REQUESTS = 112;
        static final int CAPABILITIES = 116;
        static final int MAX_SCATTERS = 120;
        static final int MAX_QUEUES = 128;
        static final int MAX_QUEUE_ENTRIES = 132;
        static final int MAX_REGIONS = 136;
        static final int MAX_READ_ATOMIC = 144;
        static final int ATOMICS = 164;
        static final int MAX_WINDOWS = 176;
        static final int PORTS = 227;

        static final int NO_ATOMICS = 0;
        static final int HAS_TYPE_1 = 1 << 17;
        static final int HAS_TYPE_2B = 1 << 24;
        /// What rxe, the kernel's software device, gives as its vendor.
        static final int VENDOR_RXE = 0xff_ffff;

        private DeviceInfo() {
        }
    }

    /// `struct ibv_port_attr`, as far as the exported function fills it.
    static final class PortInfo {
        static final int BYTES = 64;
        static final int STATE = 0;
        static final int ACTIVE_MTU = 8;
        static final int GIDS = 12;
        static final int MAX_MESSAGE_BYTES = 20;
        static final int LID = 34;
        static final int LINK_LAYER = 46;
        static final int FLAGS = 47;

        static final int ACTIVE = 4;
        static final int ETHERNET = 2;
        /// Of the flags: every packet needs a GID.
        static final int GLOBAL_ROUTE = 1;

        private PortInfo() {
        }
    }

    /// `struct ibv_gid_entry`.
    static final class GidEntry {
        static final int BYTES = 32;
        static final int GID = 0;
        static final int INDEX = 16;
        static final int PORT = 20;
        static final int TYPE = 24;

        private GidEntry() {
        }
    }

    /// `struct rdma_cm_id`, and the socket addresses in its `route.addr`; `struct rdma_event_channel` is a descriptor.
    ///
    /// ```
    ///   0 verbs    8 channel    16 context    24 qp
    ///  32 src_storage (128)                  160 dst_storage (128)      288 ibaddr ...     344 ps | 348 port_num
    /// ```
    static final class ConnectionId {
        static final int CONTEXT = 0;
        static final int CHANNEL = 8;
        static final int PAIR = 24;
        static final int OWN_ADDRESS = 32;
        static final int PEER_ADDRESS = 160;
        static final int PORT = 348;

        private ConnectionId() {
        }
    }

    /// `struct rdma_cm_event`, whose `param.conn` is a [ConnectionParameters].
    static final class ConnectionEvent {
        static final int BYTES = 80;
        static final int ID = 0;
        static final int LISTENING_ID = 8;
        static final int TYPE = 16;
        static final int STATUS = 20;
        static final int PARAMETERS = 24;

        private ConnectionEvent() {
        }
    }

    /// `struct rdma_conn_param`.
    ///
    /// ```
    ///  0 private_data
    ///  8 private_data_len | 9 responder_resources | 10 initiator_depth | 11 flow_control
    /// 12 retry_count      | 13 rnr_retry_count    | 14 srq             | 16 qp_num
    /// ```
    static final class ConnectionParameters {
        static final int BYTES = 24;
        static final int PRIVATE_DATA = 0;
        static final int PRIVATE_DATA_LENGTH = 8;
        static final int RESPONDER_RESOURCES = 9;
        static final int INITIATOR_DEPTH = 10;
        static final int FLOW_CONTROL = 11;
        static final int RETRIES = 12;
        static final int RECEIVER_NOT_READY_RETRIES = 13;
        static final int PAIR_NUMBER = 16;

        private ConnectionParameters() {
        }
    }

    /// `struct sockaddr_in` and `struct sockaddr_in6`; port and address in network byte order.
    static final class SocketAddress {
        static final int BYTES = 28;
        static final int FAMILY = 0;
        static final int PORT = 2;
        static final int ADDRESS_V4 = 4;
        static final int ADDRESS_V6 = 8;
        static final int SCOPE_V6 = 24;

        static final int INET = 2;
        static final int INET6 = 10;

        private SocketAddress() {
        }
    }

    /// `struct ibv_async_event`.
    static final class Event {
        static final int BYTES = 16;
        static final int ELEMENT = 0;
        static final int TYPE = 8;

        private Event() {
        }
    }

    /// `enum ibv_wr_opcode`: all that is ever posted. A number beyond these is undefined behaviour in some providers.
    static final int WRITE = 0;
    static final int WRITE_WITH_IMMEDIATE = 1;
    static final int SEND = 2;
    static final int SEND_WITH_IMMEDIATE = 3;
    static final int READ = 4;
    static final int COMPARE_AND_SWAP = 5;
    static final int FETCH_AND_ADD = 6;
    static final int LOCAL_INVALIDATE = 7;
    static final int BIND_WINDOW = 8;
    static final int SEND_WITH_INVALIDATE = 9;

    /// `enum ibv_send_flags`.
    static final int FENCE = 1;
    static final int SIGNALED = 2;
    static final int SOLICITED = 4;
    static final int INLINE = 8;

    /// `enum ibv_mw_type`.
    static final int WINDOW_TYPE_1 = 1;
    static final int WINDOW_TYPE_2 = 2;
}
