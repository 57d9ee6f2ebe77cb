plugins {
    alias(libs.plugins.android.library)
    `maven-publish`
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

    publishing {
        singleVariant("release") { withSourcesJar() }
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

publishing {
    publications.register<MavenPublication>("release") {
        groupId = "org.deimv2"
        artifactId = "detector"
        version = "0.1.0"
        pom {
            name = "DEIMv2 for Android"
            description = "Runs exported DEIMv2 detectors and compares them with PyTorch"
            licenses {
                license {
                    name = "Apache-2.0"
                    url = "https://www.apache.org/licenses/LICENSE-2.0"
                }
            }
        }
        afterEvaluate { from(components["release"]) }
    }
}
