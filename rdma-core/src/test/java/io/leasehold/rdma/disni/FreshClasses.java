package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;

/// Loads everything anew, so that one JVM has as many fresh DiSNIs as tests want, and tells what it has loaded.
final class FreshClasses extends URLClassLoader {
    FreshClasses() throws IOException {
        super(urls(), ClassLoader.getPlatformClassLoader());
    }

    private static URL[] urls() throws IOException {
        String[] paths = System.getProperty("java.class.path").split(File.pathSeparator);
        URL[] urls = new URL[paths.length];
        for (int i = 0; i < paths.length; i++) {
            urls[i] = new File(paths[i]).toURI().toURL();
        }
        return urls;
    }

    boolean hasLoaded(String name) {
        return findLoadedClass(name) != null;
    }

    /// Calls a public static method without parameters.
    Object call(String type, String method) throws Throwable {
        try {
            return loadClass(type).getMethod(method).invoke(null);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /// DiSNI was used, and nothing of it that needs `libdisni.so` or `--add-exports`.
    void assertNoNativePart() {
        assertThat(hasLoaded("com.ibm.disni.verbs.RdmaProvider")).as("DiSNI itself").isTrue();
        for (String name : new String[] {"verbs.impl.NativeDispatcher", "verbs.impl.RdmaVerbsNat", "verbs.impl.RdmaCmNat",
            "util.MemoryUtils", "util.MemBuf", "util.MemoryAllocation", "util.NativeAffinity", "util.DiSNILogger"}) {
            assertThat(hasLoaded("com.ibm.disni." + name)).as(name).isFalse();
        }
    }
}
