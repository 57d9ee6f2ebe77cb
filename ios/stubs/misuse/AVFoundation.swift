// expect: call can throw, but it is not marked with 'try'
import AVFoundation

func open(_ device: AVCaptureDevice) -> AVCaptureInput { AVCaptureDeviceInput(device: device) }
