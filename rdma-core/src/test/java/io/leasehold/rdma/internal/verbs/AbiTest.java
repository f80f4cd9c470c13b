package io.leasehold.rdma.internal.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The table of [Abi] beside what the C compiler makes of the headers of libibverbs, where both are installed.
final class AbiTest {
    private static final Map<String, Integer> EXPECTED = new LinkedHashMap<>();
    private static final Map<String, Integer> OF_CONNECTIONS = new LinkedHashMap<>();
    private static Map<String, Integer> table = EXPECTED;

    @BeforeAll
    static void table() {
        struct("ibv_send_wr", Abi.SendRequest.BYTES, "wr_id", 0, "next", 8, "sg_list", 16, "num_sge", 24, "opcode", 28,
                "send_flags", 32, "imm_data", 36, "invalidate_rkey", Abi.SendRequest.IMMEDIATE,
                "wr.rdma.remote_addr", Abi.SendRequest.REMOTE_ADDRESS, "wr.rdma.rkey", Abi.SendRequest.RDMA_KEY,
                "wr.atomic.remote_addr", Abi.SendRequest.REMOTE_ADDRESS, "wr.atomic.compare_add", Abi.SendRequest.COMPARE_ADD,
                "wr.atomic.swap", Abi.SendRequest.SWAP, "wr.atomic.rkey", Abi.SendRequest.ATOMIC_KEY,
                "bind_mw.mw", Abi.SendRequest.BIND_WINDOW, "bind_mw.rkey", Abi.SendRequest.BIND_KEY,
                "bind_mw.bind_info.mr", Abi.SendRequest.BIND_REGION, "bind_mw.bind_info.addr", Abi.SendRequest.BIND_ADDRESS,
                "bind_mw.bind_info.length", Abi.SendRequest.BIND_LENGTH,
                "bind_mw.bind_info.mw_access_flags", Abi.SendRequest.BIND_ACCESS);
        struct("ibv_recv_wr", Abi.ReceiveRequest.BYTES, "wr_id", Abi.ReceiveRequest.ID, "next", Abi.ReceiveRequest.NEXT,
                "sg_list", Abi.ReceiveRequest.SCATTER_LIST, "num_sge", Abi.ReceiveRequest.SCATTER_COUNT);
        struct("ibv_sge", Abi.Scatter.BYTES, "addr", Abi.Scatter.ADDRESS, "length", Abi.Scatter.LENGTH, "lkey", Abi.Scatter.KEY);
        struct("ibv_wc", Abi.Completion.BYTES, "wr_id", Abi.Completion.ID, "status", Abi.Completion.STATUS,
                "opcode", Abi.Completion.OPCODE, "vendor_err", Abi.Completion.VENDOR_ERROR,
                "byte_len", Abi.Completion.BYTE_LENGTH, "imm_data", Abi.Completion.IMMEDIATE,
                "invalidated_rkey", Abi.Completion.IMMEDIATE, "qp_num", Abi.Completion.QUEUE_PAIR_NUMBER,
                "wc_flags", Abi.Completion.FLAGS);
        struct("ibv_mw_bind", Abi.Bind.BYTES, "wr_id", Abi.Bind.ID, "send_flags", Abi.Bind.FLAGS, "bind_info.mr",
                Abi.Bind.REGION, "bind_info.addr", Abi.Bind.ADDRESS, "bind_info.length", Abi.Bind.LENGTH,
                "bind_info.mw_access_flags", Abi.Bind.ACCESS);
        struct("ibv_context", System.getProperty("os.arch").equals("amd64") ? Abi.Context.BYTES : Abi.Context.BYTES + 8,
                "device", Abi.Context.DEVICE, "ops.poll_cq", Abi.Context.POLL_CQ, "ops.req_notify_cq", Abi.Context.REQ_NOTIFY_CQ,
                "ops.alloc_mw", Abi.Context.ALLOC_MW, "ops.bind_mw", Abi.Context.BIND_MW,
                "ops.dealloc_mw", Abi.Context.DEALLOC_MW, "ops.post_send", Abi.Context.POST_SEND,
                "ops.post_recv", Abi.Context.POST_RECV, "cmd_fd", Abi.Context.COMMAND_FD, "async_fd", Abi.Context.ASYNC_FD,
                "num_comp_vectors", Abi.Context.COMPLETION_VECTORS);
        handles();
        attributes();
        table = OF_CONNECTIONS;
        connections();
    }

    private static void connections() {
        fields("rdma_cm_id", "verbs", Abi.ConnectionId.CONTEXT, "channel", Abi.ConnectionId.CHANNEL, "qp", Abi.ConnectionId.PAIR,
                "route.addr.src_storage", Abi.ConnectionId.OWN_ADDRESS, "route.addr.dst_storage", Abi.ConnectionId.PEER_ADDRESS,
                "port_num", Abi.ConnectionId.PORT);
        struct("rdma_event_channel", Integer.BYTES, "fd", 0);
        struct("rdma_cm_event", Abi.ConnectionEvent.BYTES, "id", Abi.ConnectionEvent.ID,
                "listen_id", Abi.ConnectionEvent.LISTENING_ID, "event", Abi.ConnectionEvent.TYPE,
                "status", Abi.ConnectionEvent.STATUS, "param.conn", Abi.ConnectionEvent.PARAMETERS);
        struct("rdma_conn_param", Abi.ConnectionParameters.BYTES, "private_data", Abi.ConnectionParameters.PRIVATE_DATA,
                "private_data_len", Abi.ConnectionParameters.PRIVATE_DATA_LENGTH,
                "responder_resources", Abi.ConnectionParameters.RESPONDER_RESOURCES,
                "initiator_depth", Abi.ConnectionParameters.INITIATOR_DEPTH,
                "flow_control", Abi.ConnectionParameters.FLOW_CONTROL, "retry_count", Abi.ConnectionParameters.RETRIES,
                "rnr_retry_count", Abi.ConnectionParameters.RECEIVER_NOT_READY_RETRIES,
                "qp_num", Abi.ConnectionParameters.PAIR_NUMBER);
        struct("sockaddr_in", 16, "sin_family", Abi.SocketAddress.FAMILY, "sin_port", Abi.SocketAddress.PORT,
                "sin_addr", Abi.SocketAddress.ADDRESS_V4);
        struct("sockaddr_in6", Abi.SocketAddress.BYTES, "sin6_family", Abi.SocketAddress.FAMILY,
                "sin6_port", Abi.SocketAddress.PORT, "sin6_addr", Abi.SocketAddress.ADDRESS_V6,
                "sin6_scope_id", Abi.SocketAddress.SCOPE_V6);
        for (CmEvent.Type type : CmEvent.Type.values()) {
            number("RDMA_CM_EVENT_" + type, type.ordinal());
        }
        number("RDMA_PS_TCP", SystemCmLibrary.PORT_SPACE_TCP, "AF_INET", Abi.SocketAddress.INET, "AF_INET6", Abi.SocketAddress.INET6);
    }

    private static void handles() {
        struct("ibv_mr", 48, "context", 0, "pd", Abi.Handle.REGION_DOMAIN, "addr", Abi.Handle.REGION_ADDRESS,
                "length", Abi.Handle.REGION_LENGTH, "lkey", Abi.Handle.REGION_LOCAL_KEY, "rkey", Abi.Handle.REGION_REMOTE_KEY);
        struct("ibv_mw", 32, "context", 0, "pd", Abi.Handle.WINDOW_DOMAIN, "rkey", Abi.Handle.WINDOW_KEY,
                "type", Abi.Handle.WINDOW_TYPE);
        fields("ibv_cq", "context", 0, "channel", Abi.Handle.QUEUE_CHANNEL, "cq_context", Abi.Handle.QUEUE_CONTEXT,
                "cqe", Abi.Handle.QUEUE_ENTRIES);
        fields("ibv_comp_channel", "context", 0, "fd", Abi.Handle.CHANNEL_FD);
        fields("ibv_pd", "context", 0);
        fields("ibv_qp", "context", 0, "pd", Abi.Handle.PAIR_DOMAIN, "send_cq", Abi.Handle.PAIR_SEND_QUEUE,
                "recv_cq", Abi.Handle.PAIR_RECEIVE_QUEUE, "qp_num", Abi.Handle.PAIR_NUMBER, "state", Abi.Handle.PAIR_STATE,
                "qp_type", Abi.Handle.PAIR_TYPE);
    }

    private static void attributes() {
        struct("ibv_qp_init_attr", Abi.PairInit.BYTES, "send_cq", Abi.PairInit.SEND_QUEUE,
                "recv_cq", Abi.PairInit.RECEIVE_QUEUE, "cap.max_send_wr", Abi.PairInit.MAX_SEND_REQUESTS,
                "cap.max_recv_wr", Abi.PairInit.MAX_RECEIVE_REQUESTS, "cap.max_send_sge", Abi.PairInit.MAX_SEND_SCATTERS,
                "cap.max_recv_sge", Abi.PairInit.MAX_RECEIVE_SCATTERS, "cap.max_inline_data", Abi.PairInit.MAX_INLINE,
                "qp_type", Abi.PairInit.TYPE);
        struct("ibv_qp_attr", Abi.PairAttributes.BYTES, "qp_state", Abi.PairAttributes.STATE,
                "path_mtu", Abi.PairAttributes.PATH_MTU, "rq_psn", Abi.PairAttributes.RECEIVE_PSN,
                "sq_psn", Abi.PairAttributes.SEND_PSN, "dest_qp_num", Abi.PairAttributes.PEER_NUMBER,
                "qp_access_flags", Abi.PairAttributes.ACCESS, "ah_attr.grh.dgid", Abi.PairAttributes.PEER_GID,
                "ah_attr.grh.sgid_index", Abi.PairAttributes.OWN_GID_INDEX, "ah_attr.grh.hop_limit", Abi.PairAttributes.HOP_LIMIT,
                "ah_attr.dlid", Abi.PairAttributes.PEER_LID, "ah_attr.is_global", Abi.PairAttributes.IS_GLOBAL,
                "ah_attr.port_num", Abi.PairAttributes.ROUTE_PORT, "pkey_index", Abi.PairAttributes.PKEY_INDEX,
                "max_rd_atomic", Abi.PairAttributes.MAX_READ_ATOMIC,
                "max_dest_rd_atomic", Abi.PairAttributes.MAX_PEER_READ_ATOMIC,
                "min_rnr_timer", Abi.PairAttributes.RECEIVER_NOT_READY_TIMER, "port_num", Abi.PairAttributes.PORT,
                "timeout", Abi.PairAttributes.TIMEOUT, "retry_cnt", Abi.PairAttributes.RETRIES,
                "rnr_retry", Abi.PairAttributes.RECEIVER_NOT_READY_RETRIES);
        struct("ibv_device_attr", Abi.DeviceInfo.BYTES, "max_mr_size", Abi.DeviceInfo.MAX_REGION_BYTES,
                "vendor_id", Abi.DeviceInfo.VENDOR, "max_qp", Abi.DeviceInfo.MAX_PAIRS, "max_qp_wr", Abi.DeviceInfo.MAX_REQUESTS,
                "device_cap_flags", Abi.DeviceInfo.CAPABILITIES, "max_cq", Abi.DeviceInfo.MAX_QUEUES,
                "max_cqe", Abi.DeviceInfo.MAX_QUEUE_ENTRIES, "max_mr", Abi.DeviceInfo.MAX_REGIONS,
                "max_qp_rd_atom", Abi.DeviceInfo.MAX_READ_ATOMIC, "atomic_cap", Abi.DeviceInfo.ATOMICS,
                "max_mw", Abi.DeviceInfo.MAX_WINDOWS, "phys_port_cnt", Abi.DeviceInfo.PORTS);
        fields("ibv_port_attr", "state", Abi.PortInfo.STATE, "active_mtu", Abi.PortInfo.ACTIVE_MTU,
                "gid_tbl_len", Abi.PortInfo.GIDS, "max_msg_sz", Abi.PortInfo.MAX_MESSAGE_BYTES, "lid", Abi.PortInfo.LID,
                "link_layer", Abi.PortInfo.LINK_LAYER);
        struct("ibv_gid_entry", Abi.GidEntry.BYTES, "gid", Abi.GidEntry.GID, "gid_index", Abi.GidEntry.INDEX,
                "port_num", Abi.GidEntry.PORT, "gid_type", Abi.GidEntry.TYPE);
        struct("ibv_async_event", Abi.Event.BYTES, "element", Abi.Event.ELEMENT, "event_type", Abi.Event.TYPE);
        number("IBV_WR_RDMA_WRITE", Abi.WRITE, "IBV_WR_RDMA_WRITE_WITH_IMM", Abi.WRITE_WITH_IMMEDIATE, "IBV_WR_SEND", Abi.SEND,
                "IBV_WR_RDMA_READ", Abi.READ, "IBV_WR_ATOMIC_CMP_AND_SWP", Abi.COMPARE_AND_SWAP,
                "IBV_WR_ATOMIC_FETCH_AND_ADD", Abi.FETCH_AND_ADD, "IBV_WR_LOCAL_INV", Abi.LOCAL_INVALIDATE,
                "IBV_WR_BIND_MW", Abi.BIND_WINDOW, "IBV_WR_SEND_WITH_INV", Abi.SEND_WITH_INVALIDATE,
                "IBV_SEND_FENCE", Abi.FENCE, "IBV_SEND_SIGNALED", Abi.SIGNALED, "IBV_SEND_INLINE", Abi.INLINE,
                "IBV_WC_WITH_IMM", Abi.Completion.WITH_IMMEDIATE, "IBV_WC_WITH_INV", Abi.Completion.WITH_INVALIDATE,
                "IBV_WC_RECV_RDMA_WITH_IMM", Abi.Completion.RECEIVE_RDMA_WITH_IMMEDIATE,
                "IBV_DEVICE_MEM_WINDOW", Abi.DeviceInfo.HAS_TYPE_1, "IBV_DEVICE_MEM_WINDOW_TYPE_2B", Abi.DeviceInfo.HAS_TYPE_2B,
                "IBV_PORT_ACTIVE", Abi.PortInfo.ACTIVE, "IBV_LINK_LAYER_ETHERNET", Abi.PortInfo.ETHERNET,
                "IBV_QPT_RC", Abi.PairInit.TYPE_RC,
                "IBV_QP_STATE|IBV_QP_PKEY_INDEX|IBV_QP_PORT|IBV_QP_ACCESS_FLAGS", Abi.PairAttributes.MASK_INIT,
                "IBV_QP_STATE|IBV_QP_AV|IBV_QP_PATH_MTU|IBV_QP_DEST_QPN|IBV_QP_RQ_PSN|IBV_QP_MAX_DEST_RD_ATOMIC"
                        + "|IBV_QP_MIN_RNR_TIMER", Abi.PairAttributes.MASK_RTR,
                "IBV_QP_STATE|IBV_QP_TIMEOUT|IBV_QP_RETRY_CNT|IBV_QP_RNR_RETRY|IBV_QP_SQ_PSN|IBV_QP_MAX_QP_RD_ATOMIC",
                Abi.PairAttributes.MASK_RTS);
    }

    private static void struct(String name, int bytes, Object... namesAndOffsets) {
        table.put("sizeof(struct " + name + ")", bytes);
        fields(name, namesAndOffsets);
    }

    private static void fields(String name, Object... namesAndOffsets) {
        for (int i = 0; i < namesAndOffsets.length; i += 2) {
            table.put("offsetof(struct " + name + ", " + namesAndOffsets[i] + ")", (Integer) namesAndOffsets[i + 1]);
        }
    }

    private static void number(Object... namesAndValues) {
        for (int i = 0; i < namesAndValues.length; i += 2) {
            table.put((String) namesAndValues[i], (Integer) namesAndValues[i + 1]);
        }
    }

    @Test
    void theCompilerAgrees(@TempDir Path directory) throws Exception {
        compare(directory, "infiniband/verbs.h", "libibverbs", EXPECTED);
    }

    @Test
    void theCompilerAgreesOnConnections(@TempDir Path directory) throws Exception {
        compare(directory, "rdma/rdma_cma.h", "librdmacm", OF_CONNECTIONS);
    }

    private static void compare(Path directory, String header, String library, Map<String, Integer> expected) throws Exception {
        assumeTrue(succeeds("cc", "-dumpversion"), "there is no C compiler");
        Path probe = Files.writeString(directory.resolve("probe.c"), "#include <" + header + ">\n");
        assumeTrue(succeeds("cc", "-fsyntax-only", "-w", probe.toString()), "the headers of " + library + " are not installed");
        Path source = directory.resolve("abi.c");
        StringBuilder text = new StringBuilder("#include <stddef.h>\n#include <stdio.h>\n#include <" + header + ">\nint main(){\n");
        expected.keySet().forEach(name -> text.append("printf(\"%d\\n\", (int) (").append(name).append("));\n"));
        Files.writeString(source, text.append("return 0;}\n"));
        Path program = directory.resolve("abi");
        assertThat(succeeds("cc", "-o", program.toString(), source.toString())).as("it compiles").isTrue();
        Process process = new ProcessBuilder(program.toString()).start();
        String[] found = new String(process.getInputStream().readAllBytes()).split("\n");
        assertThat(found).hasSameSizeAs(expected.keySet());
        int i = 0;
        for (Map.Entry<String, Integer> one : expected.entrySet()) {
            assertThat(Integer.parseInt(found[i++])).as(one.getKey()).isEqualTo(one.getValue());
        }
    }

    private static boolean succeeds(String... command) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(command).inheritIO().start();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
