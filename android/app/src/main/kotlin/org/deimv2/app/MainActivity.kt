package org.deimv2.app

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.activity.viewModels
import androidx.annotation.DrawableRes
import androidx.annotation.StringRes
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.NavigationBar
import androidx.compose.material3.NavigationBarItem
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource

class MainActivity : ComponentActivity() {
    private val model: DetectionModel by viewModels()
    private val video: VideoModel by viewModels()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        setContent {
            MaterialTheme(colorScheme = if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()) {
                Screens(model, video)
            }
        }
    }
}

private enum class Screen(
    @param:StringRes val title: Int,
    @param:DrawableRes val icon: Int,
) {
    CAMERA(R.string.camera, R.drawable.ic_camera),
    PHOTO(R.string.photo, R.drawable.ic_photo),
    VIDEO(R.string.video, R.drawable.ic_video),
    CHECK(R.string.check, R.drawable.ic_check),
}

@Composable
private fun Screens(
    model: DetectionModel,
    video: VideoModel,
) {
    var screen by rememberSaveable { mutableStateOf(Screen.CAMERA) }
    Scaffold(
        bottomBar = {
            NavigationBar {
                for (entry in Screen.entries) {
                    NavigationBarItem(
                        selected = entry == screen,
                        onClick = {
                            screen = entry
                            if (entry != Screen.VIDEO) video.stop()
                        },
                        icon = { Icon(painterResource(entry.icon), contentDescription = null) },
                        label = { Text(stringResource(entry.title)) },
                    )
                }
            }
        },
    ) { edges ->
        Box(Modifier.padding(edges)) {
            when (screen) {
                Screen.CAMERA -> CameraScreen(model)
                Screen.PHOTO -> PhotoScreen(model)
                Screen.VIDEO -> VideoScreen(model, video)
                Screen.CHECK -> CheckScreen(model)
            }
        }
    }
}
