package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaProvider;
import com.ibm.disni.verbs.RdmaVerbs;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.io.IOException;

/// DiSNI's own provider, which needs its `libdisni.so`.
final class NativeDisni {
    private NativeDisni() {
    }

    /// Makes DiSNI load it.
    static void load() {
        if (NativeDisni.class.getClassLoader().getResource("org/slf4j/LoggerFactory.class") == null) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "-D" + Disni.PROPERTY + "=native: DiSNI's own provider logs by SLF4J, "
                    + "which is missing; add org.slf4j:slf4j-api, or leave the property out");
        }
        try {
            RdmaProvider provider = RdmaProvider.provider();
            if (provider instanceof Provider) {
                throw new RdmaException(RdmaError.INVALID_STATE,
                        "Leasehold serves DiSNI already in this JVM; set -D" + Disni.PROPERTY + "=native when it starts");
            }
            // Loads the library.
            RdmaVerbs.open();
        } catch (IOException | LinkageError e) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "-D" + Disni.PROPERTY + "=native: libdisni.so cannot be used ("
                    + e.getMessage() + "); build it from DiSNI's sources and put it on java.library.path, or leave the property out", e);
        }
    }
}
