plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.compose)
    `maven-publish`
}

android {
    namespace = "org.deimv2.camera"
    compileSdk = 37

    defaultConfig { minSdk = 26 }

    buildFeatures { compose = true }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    publishing {
        singleVariant("release") { withSourcesJar() }
    }
}

dependencies {
    api(project(":detector"))
    api(platform(libs.compose.bom))
    api(libs.compose.material3)
    implementation(libs.activity.compose)
    implementation(libs.camera.camera2)
    implementation(libs.camera.lifecycle)
    implementation(libs.camera.view)
    implementation(libs.core)
    implementation(libs.lifecycle.runtime.compose)

    testImplementation(libs.junit)
    testImplementation(libs.kotlin.test.junit)
}

publishing {
    publications.register<MavenPublication>("release") {
        groupId = "org.deimv2"
        artifactId = "camera"
        version = "0.1.0"
        pom {
            name = "DEIMv2's camera view for Android"
            description = "Shows a camera with what an exported DEIMv2 detector finds in it"
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
