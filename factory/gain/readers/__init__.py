"""Readers of datasets: COCO, YOLO, Pascal VOC and folders of classes."""
