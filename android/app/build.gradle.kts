plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "org.deimv2.app"
    compileSdk = 37

    defaultConfig {
        applicationId = "org.deimv2.app"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    buildFeatures { compose = true }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation(project(":camera"))
    implementation(platform(libs.compose.bom))
    implementation(libs.activity.compose)
    implementation(libs.compose.material3)
    implementation(libs.exifinterface)
    implementation(libs.lifecycle.viewmodel)

    testImplementation(libs.junit)
    testImplementation(libs.kotlin.test.junit)
    androidTestImplementation(libs.kotlin.test.junit)
    androidTestImplementation(libs.test.runner)
}

val artifacts = layout.projectDirectory.file("src/main/assets/deimv2/manifest.json")
tasks.named("preBuild") {
    doFirst {
        check(artifacts.asFile.exists()) { "no $artifacts; run 'deimv2 app android artifacts/atto' first" }
    }
}
