package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DeviceOptionsTest {
    @Test
    void aDeviceIsChosenByAWord() {
        assertThat(DeviceOptions.parse("soft")).isEqualTo(DeviceOptions.soft());
        assertThat(DeviceOptions.parse("verbs")).isEqualTo(DeviceOptions.verbs());
        assertThat(DeviceOptions.parse("verbs:mlx5_0/1/3")).isEqualTo(DeviceOptions.verbs().withDevice("mlx5_0/1/3"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "mlx5_0", "soft:a", ":rxe0", "Verbs"})
    void anotherWordIsExplained(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> DeviceOptions.parse(text)).withMessageContaining("'" + text + "'")
                .withMessageContaining("verbs:NAME");
    }
}
