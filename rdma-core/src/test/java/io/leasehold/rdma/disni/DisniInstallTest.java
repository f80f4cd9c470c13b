package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.RdmaProvider;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// How Leasehold comes under DiSNI's API, and what is not needed for it.
class DisniInstallTest {
    private static final String DISNI = "com.ibm.disni.verbs.";
    private static final String OURS = "io.leasehold.rdma.disni.Disni";

    /// In tests that run elsewhere, too: they ask this JVM's arguments.
    static void assertNothingIsOpenedUp() {
        assertThat(ManagementFactory.getRuntimeMXBean().getInputArguments())
                .noneMatch(argument -> argument.contains("--add-exports") || argument.contains("--add-opens"));
        assertThat(ClassLoader.getSystemResource("org/apache/log4j/Logger.class")).as("log4j").isNull();
        assertThat(Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)))
                .noneMatch(path -> path.contains("log4j") || path.contains("commons-cli"))
                .anyMatch(path -> path.contains("disni"));
    }

    @Test
    void nothingIsOpenedUpAndThereIsNoLog4j() {
        assertNothingIsOpenedUp();
    }

    @Test
    void installingTwiceIsInstalling() throws IOException {
        Disni.install();
        RdmaProvider first = RdmaProvider.provider();
        Disni.install();
        assertThat(RdmaProvider.provider()).isSameAs(first).isInstanceOf(Provider.class);
        assertThat(com.ibm.disni.verbs.RdmaVerbs.getVersion()).isEqualTo(32);
    }

    @Test
    void nothingOfDisnisNativePartIsLoaded() throws Throwable {
        try (FreshClasses fresh = new FreshClasses()) {
            fresh.call(OURS, "install");
            try {
                Object channel = fresh.call(DISNI + "RdmaEventChannel", "createEventChannel");
                channel.getClass().getMethod("destroyEventChannel").invoke(channel);
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("RDMA");
            }
            fresh.call(DISNI + "RdmaVerbs", "open");
            fresh.assertNoNativePart();
        }
    }

    @Test
    void oneSentenceSaysThatThereIsNoDevice() {
        Disni.install();
        try {
            RdmaEventChannel.createEventChannel().destroyEventChannel();
        } catch (IOException e) {
            assertThat(e.getMessage()).startsWith("UNSUPPORTED: no RDMA").doesNotContain("\n").doesNotContain("Exception")
                    .containsAnyOf("modprobe rdma_ucm", "rdma link add", "apt-get install");
            return;
        }
        Assumptions.abort("there is an RDMA device");
    }

    @Test
    void disniMustNotBeInUse() throws Throwable {
        try (FreshClasses fresh = new FreshClasses()) {
            Class<?> provider = fresh.loadClass(DISNI + "RdmaProvider");
            var field = provider.getDeclaredField("provider");
            field.setAccessible(true);
            field.set(null, fresh.loadClass(StrangeProvider.class.getName()).getDeclaredConstructor().newInstance());
            assertThatThrownBy(() -> fresh.call(OURS, "install")).hasMessageContaining("INVALID_STATE")
                    .hasMessageContaining("StrangeProvider").hasMessageContaining("call Disni.install() before");
        }
    }

    @Test
    void withoutInstallingNothingCanBeAsked() throws Throwable {
        try (FreshClasses fresh = new FreshClasses()) {
            assertThatThrownBy(() -> fresh.call(OURS, "resources")).hasMessageContaining("INVALID_STATE");
        }
    }

    @Test
    void libdisniIsUsedIfWanted() throws Throwable {
        try (FreshClasses fresh = new FreshClasses()) {
            System.setProperty(Disni.PROPERTY, "native");
            try {
                fresh.call(OURS, "install");
            } catch (RuntimeException e) {
                assertThat(e).hasMessageContaining("UNSUPPORTED: -Dleasehold.disni=native");
                assertThat(e.getMessage()).containsAnyOf("java.library.path", "org.slf4j:slf4j-api").doesNotContain("\n");
                Assumptions.abort("DiSNI's own provider cannot be used here, and the failure says so: " + e.getMessage());
            } finally {
                System.clearProperty(Disni.PROPERTY);
            }
            assertThat(fresh.hasLoaded(DISNI + "impl.NativeDispatcher")).isTrue();
            assertThat(fresh.call(DISNI + "RdmaVerbs", "getVersion")).isEqualTo(32);
        }
    }

    @Test
    void anotherChoiceIsRefused() throws Throwable {
        try (FreshClasses fresh = new FreshClasses()) {
            System.setProperty(Disni.PROPERTY, "jverbs");
            assertThatThrownBy(() -> fresh.call(OURS, "install")).hasMessageContaining("INVALID_ARGUMENT")
                    .hasMessageContaining("'leasehold' or 'native'");
        } finally {
            System.clearProperty(Disni.PROPERTY);
        }
    }
}
