plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "org.deimv2.detector"
    compileSdk = 37

    defaultConfig {
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    api(libs.coroutines)
    implementation(libs.executorch)
    implementation(libs.litert)
    implementation(libs.litert.gpu)

    testImplementation(libs.json) // Android's own is empty in tests on the JVM
    testImplementation(libs.junit)
    testImplementation(libs.kotlin.test.junit)
}
